"""What a volume shares with the threads that fill it; it never refers to the volume itself."""

import atexit
import collections
import contextlib
import copy
import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spinekit import _core
from spinekit.volumes.geometry import Geometry

_alive: "weakref.WeakSet[Filling]" = weakref.WeakSet()


@dataclass(frozen=True)
class SeriesInfo:
    """One series of a source.

    Attributes
    ----------
    uid : SeriesInstanceUID
    modality, number, description : as the headers say
    images : frames of the series
    rows, columns : of most of them
    chosen : whether the volume is made of it
    """

    uid: str
    modality: str
    images: int
    rows: int
    columns: int
    number: str = ""
    description: str = ""
    chosen: bool = False

    def __str__(self) -> str:
        words = " ".join(w for w in (self.number, self.description) if w)
        named = f' "{words}"' if words else ""
        return (
            f"{self.uid or '(no SeriesInstanceUID)'}: {self.modality or '?'}{named}, "
            f"{self.images} images of {self.rows} x {self.columns}"
        )


@dataclass
class Content:
    """All that is known of a volume once its slices are."""

    memory: _core.VolumeMemory | None
    shape: tuple[int, ...]
    dtype: Any
    geometry: Geometry
    modality: str
    order: list[int]
    series: list[SeriesInfo]
    read_slice: Callable[[int], Any] | None = None  # where slices can be had again
    labels: list[str] = field(default_factory=list)  # of the slices' files
    warnings: list[str] = field(default_factory=list)
    photometric: str = ""
    made: float = field(default_factory=time.perf_counter)


class Filling:
    """State of a volume that is being filled. Thread-safe."""

    def __init__(self, name: str, executor: _core.Executor) -> None:
        self.name = name
        self.executor = executor
        self.started = time.perf_counter()
        self.initialized_after: float | None = None
        self.cancel_token = _core.CancelToken()
        self.changed = threading.Condition()
        self.content: Content | None = None
        self.failure: BaseException | None = None
        self.ended = False
        self.frames: collections.deque[Any] = collections.deque()
        self.errors: dict[int | str, BaseException] = {}
        self._loader: _core.Loader | None = None
        self._threads: list[threading.Thread] = []
        self._closers: list[Callable[[], object]] = []
        self._wanted_first: int | None = None
        self._process = os.getpid()
        _alive.add(self)

    # ---- for those who fill

    def run(self, work: Callable[["Filling"], None], name: str) -> None:
        """Run `work` in a thread; what it raises ends the volume."""

        def guarded() -> None:
            try:
                work(self)
            except BaseException as failure:
                self.fail(failure)

        thread = threading.Thread(target=guarded, name=f"spinekit-{name}", daemon=True)
        with self.changed:
            if self.cancelled:
                return
            self._threads.append(thread)
        thread.start()

    def on_cancel(self, close: Callable[[], object]) -> None:
        """Have `close` called when the volume is cancelled or dropped."""
        with self.changed:
            if not self.cancelled:
                self._closers.append(close)
                return
        close()

    def initialise(self, content: Content, loader: _core.Loader | None) -> None:
        """Tell what the volume is; its memory and loader come with it."""
        with self.changed:
            self.content = content
            self._loader = loader
            self.initialized_after = time.perf_counter() - self.started
            if loader is not None:
                if self.cancelled:
                    loader.cancel()
                elif self._wanted_first is not None:
                    loader.prioritise(self._wanted_first)
            self.changed.notify_all()

    def hand_out(self, frame: Any) -> None:
        """Hand out a frame whose place is not known yet."""
        with self.changed:
            self.frames.append(frame)
            self.changed.notify_all()

    def take_wanted_first(self) -> int | None:
        """Return the slice that was last prioritised, once; for those who fill without a loader."""
        with self.changed:
            index, self._wanted_first = self._wanted_first, None
            return index

    def note(self, key: int | str, error: BaseException) -> None:
        """Record what went wrong with a slice, or a file that has no slice."""
        with self.changed:
            self.errors.setdefault(key, error)

    def fail(self, failure: BaseException) -> None:
        """End a volume that cannot be, or cannot go on."""
        with self.changed:
            if self.failure is None and not self.cancelled:
                self.failure = failure
            self.ended = True
            self.changed.notify_all()
            loader = self._loader
        if loader is not None:
            loader.end_supply(failure)

    # ---- for the volume

    def raise_failure(self) -> None:
        """Raise what ended the volume, if something did; a copy, which may hold on to who sees it."""
        if self.failure is not None:
            found = copy.copy(self.failure)
            found.__cause__ = self.failure.__cause__
            raise found

    @property
    def cancelled(self) -> bool:
        """Whether nothing more is wanted."""
        return self.cancel_token.cancelled

    def cancel(self) -> None:
        """Stop as soon as possible."""
        if os.getpid() != self._process:
            return  # what a forked child shares, sockets among it, is its parent's
        with self.changed:
            self.cancel_token.cancel()
            self.ended = True
            closers, self._closers = self._closers, []
            loader = self._loader
            self.changed.notify_all()
        if loader is not None:
            loader.cancel()
        for close in closers:
            with contextlib.suppress(Exception):
                close()

    def stop(self) -> None:
        """Cancel, and wait until the threads are gone."""
        if os.getpid() != self._process:
            return
        self.cancel()
        loader = self._loader
        if loader is not None:
            loader.join()
            # At the end of the process it must go before the executor that it holds.
            self._loader = None
        for thread in self._threads:
            # Who is collected in one of these threads cannot wait for it; a socket may not close.
            if thread is not threading.current_thread() and thread.is_alive():
                thread.join(timeout=2)

    def prioritise(self, index: int) -> None:
        """Go on outwards from slice `index`."""
        with self.changed:
            loader = self._loader
            self._wanted_first = index
        if loader is not None:
            loader.prioritise(index)


@atexit.register
def _stop_all() -> None:
    for filling in list(_alive):
        filling.stop()
