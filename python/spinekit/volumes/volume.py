"""A volume that fills itself while it is used."""

import asyncio
import collections
import html
import logging
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from spinekit import _core
from spinekit._core import SliceState
from spinekit._progress import Progress
from spinekit.volumes.filling import Content, Filling, SeriesInfo
from spinekit.volumes.geometry import Geometry

_log = logging.getLogger(__name__)

#: Seconds after which a waiting thread looks whether Ctrl-C was pressed, and an event loop for news.
_LOOK = 0.1
_TICK = 0.005


class Frame:
    """A frame of a stream whose number and place among the slices are not known yet.

    Attributes
    ----------
    number : in the order of arrival, 0-based
    name : of the file or archive entry
    pixels : shape (rows, columns[, 3]), rescaled as in the volume; read from a temporary file
    position : ImagePositionPatient, LPS, mm, or None
    instance_number : InstanceNumber, or None
    series : SeriesInstanceUID
    """

    def __init__(
        self, number: int, name: str, series: str, header: _core.FrameHeader, read: Callable[[], Any]
    ) -> None:
        self.number = number
        self.name = name
        self.series = series
        self.position = header.position
        self.instance_number = header.number
        self._read = read

    @property
    def pixels(self) -> npt.NDArray[Any]:
        """The frame's values."""
        pixels: npt.NDArray[Any] = self._read()
        return pixels

    def __repr__(self) -> str:
        return f"<Frame {self.number} '{self.name}'>"


class Volume:
    """A volume whose slices arrive while it is used; made by `spinekit.open_volume`.

    Iterating yields the index of each slice as it arrives; ``await volume`` waits for all of them.
    Callbacks run in the thread that waits, iterates or calls `dispatch`; where `open_volume` was
    called in a running event loop, that loop calls them. Dropping the volume, leaving its ``with``
    block, or `cancel` stops the work within a slice; `array` stays valid for as long as it is used.

    Notes
    -----
    `array`, `geometry` and what follows from them wait until they are known: milliseconds for files,
    until the end for a stream that is not a `spinekit.bundle`. All other members are thread-safe.
    """

    def __init__(
        self,
        filling: Filling,
        *,
        on_volume_initialized: "Callable[[Volume], object] | None" = None,
        on_slice_processed: Callable[[int, int, int], object] | None = None,
        on_slice_coarse: Callable[[int, int, int], object] | None = None,
        on_frame: Callable[[Frame], object] | None = None,
        progress: bool | None = None,
    ) -> None:
        self._filling = filling
        self._on_volume_initialized = on_volume_initialized
        self._on_slice_processed = on_slice_processed
        self._on_slice_coarse = on_slice_coarse
        self._on_frame = on_frame
        self._progress = progress
        self._listeners: list[Callable[[int], object]] = []
        self._dispatching = threading.Lock()  # guards what follows
        self._seen = 0
        self._pending: collections.deque[tuple[int, SliceState, float]] = collections.deque()
        self._done = 0
        self._announced = False
        self._stop = weakref.finalize(self, Filling.stop, filling)
        callbacks = (on_volume_initialized, on_slice_processed, on_slice_coarse, on_frame)
        if any(callback is not None for callback in callbacks):
            self._follow()

    # ---- what it is

    def _content(self) -> Content:
        while (content := self._filling.content) is None:
            self._raise_if_over()
            self._await_news(_LOOK)
        return content

    def _raise_if_over(self) -> None:
        self._filling.raise_failure()
        if self._filling.cancelled:
            raise _core.CancelledError(f"'{self.name}' was cancelled before its slices were known")

    def _memory(self) -> _core.VolumeMemory:
        memory = self._content().memory
        if memory is None:
            raise _core.ArgumentError(
                f"'{self.name}' was opened with load='on-demand', which keeps no volume: "
                "use read_slice(k), or open it with load='all'"
            )
        return memory

    @property
    def name(self) -> str:
        """What the volume was opened from."""
        return self._filling.name

    @property
    def initialized(self) -> bool:
        """Whether shape, geometry and `array` are known."""
        return self._filling.content is not None

    @property
    def array(self) -> npt.NDArray[Any]:
        """The voxels, shape (slices, rows, columns[, 3]): a view of the engine's memory.

        CT is int16 HU, filled with -1000; other modalities keep their stored dtype and are filled with
        0. float32 where a rescale is fractional or its values do not fit. Slices are written in place
        as they arrive; `loaded` tells which are there.
        """
        return self._memory().array

    @property
    def on_demand(self) -> bool:
        """Whether it was opened with ``load="on-demand"``: there is no `array`."""
        return self._content().memory is None

    @property
    def loaded(self) -> npt.NDArray[np.bool_]:
        """Shape (slices,), bool: a live, read-only view. True once every voxel of a slice is there."""
        return self._memory().loaded

    @property
    def states(self) -> npt.NDArray[np.uint8]:
        """Shape (slices,): a live, read-only view of `SliceState` numbers (empty, coarse, full)."""
        return self._memory().states

    def state(self, index: int) -> SliceState:
        """Return how much of a slice is there."""
        return SliceState(int(self.states[index]))

    @property
    def geometry(self) -> Geometry:
        """Where the voxels lie."""
        return self._content().geometry

    @property
    def shape(self) -> tuple[int, ...]:
        """(slices, rows, columns[, 3])."""
        return self._content().shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the voxels."""
        dtype: np.dtype[Any] = np.dtype(self._content().dtype)
        return dtype

    @property
    def modality(self) -> str:
        """Modality of the series, as DICOM writes it: CT, MR, US ..."""
        return self._content().modality

    @property
    def photometric(self) -> str:
        """PhotometricInterpretation of the stored values; MONOCHROME1 is drawn inverted, not stored so."""
        return self._content().photometric

    @property
    def order(self) -> list[int]:
        """Slice indices in the order in which they were asked for."""
        return list(self._content().order)

    @property
    def series(self) -> list[SeriesInfo]:
        """The series of the source, the largest first; one is `chosen`."""
        return list(self._content().series)

    @property
    def files(self) -> list[str]:
        """For each slice the file, or archive entry, that it comes from."""
        return list(self._content().labels)

    def __len__(self) -> int:
        return self.shape[0]

    # ---- how far it is

    @property
    def finished(self) -> bool:
        """Whether nothing will arrive any more."""
        filling = self._filling
        if filling.failure is not None or filling.cancelled:
            return True
        content = filling.content
        return content is not None and (content.memory is None or content.memory.closed)

    @property
    def errors(self) -> dict[int | str, BaseException]:
        """What went wrong: by slice index, or by name for files that gave no slice.

        A slice that could not be had keeps its fill value and is not `loaded`. What a callback raised
        is kept under its slice too, which is there all the same.
        """
        filling = self._filling
        with filling.changed:
            errors = dict(filling.errors)
        if filling.content is not None and filling.content.memory is not None:
            errors |= dict(filling.content.memory.failures)
        return errors

    @property
    def warnings(self) -> list[str]:
        """What is odd but did not stop anything: geometry, files left out, decoders' warnings."""
        content = self._content()
        found = [*content.geometry.findings, *content.warnings]
        if content.memory is not None:
            found += [f"slice {index}: {text}" for index, text in content.memory.warnings]
        return found

    @property
    def timing(self) -> dict[str, float]:
        """Seconds since `open_volume`: ``initialized``, ``first_slice``, ``last_slice``, where reached."""
        filling = self._filling
        found = {}
        if filling.initialized_after is not None:
            found["initialized"] = filling.initialized_after
        arrivals = self.arrivals
        if arrivals:
            found["first_slice"], found["last_slice"] = arrivals[0][1], arrivals[-1][1]
        return found

    @property
    def arrivals(self) -> list[tuple[int, float]]:
        """Index of each slice that is there in full, and seconds since `open_volume`, as they came."""
        filling = self._filling
        content, initialized = filling.content, filling.initialized_after
        if content is None or content.memory is None or initialized is None:
            return []
        since = content.made - filling.started
        return [
            (index, max(since + seconds, initialized))  # the loader begins before anyone can look
            for index, state, seconds in content.memory.arrivals(0, 0)
            if state == SliceState.FULL
        ]

    # ---- waiting

    def _await_news(self, seconds: float) -> None:
        content = self._filling.content
        if content is not None and content.memory is not None:
            content.memory.arrivals(self._seen, seconds)
            return
        filling = self._filling
        with filling.changed:
            filling.changed.wait_for(
                lambda: filling.content is not content or filling.frames or filling.ended, seconds
            )

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every slice was processed, and call back meanwhile.

        Parameters
        ----------
        timeout : seconds, or None for as long as it takes

        Returns
        -------
        complete : whether every slice was processed; broken ones, see `errors`, count. False when the
            time was over or the volume was cancelled.

        Raises
        ------
        SpinekitError
            If the source gave no volume at all.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with _LateProgress(self, self._progress) as bar:
            while True:
                # In this order: what comes between the two calls is not missed.
                over = self.finished
                news = self.dispatch()
                bar.show(self._done)
                if over and not news:
                    self._filling.raise_failure()
                    return not self._filling.cancelled
                left = _LOOK if deadline is None else min(_LOOK, deadline - time.monotonic())
                if left <= 0:
                    return False
                if not news:
                    self._await_news(left)

    def dispatch(self) -> int:
        """Call back for what has happened since the last time; return how much that was."""
        count = 0
        while (event := self._next_event()) is not None:
            count += 1
            self._call_back(*event)
        return count

    def _next_event(self) -> tuple[str, Any] | None:
        filling = self._filling
        with self._dispatching:
            with filling.changed:
                if filling.frames:
                    return "frame", filling.frames.popleft()
            content = filling.content
            if content is None:
                return None
            if not self._announced:
                self._announced = True
                return "initialized", None
            if content.memory is None:
                return None
            if not self._pending:
                self._pending.extend(content.memory.arrivals(self._seen, 0))
                self._seen += len(self._pending)
            if not self._pending:
                return None
            index, state, _ = self._pending.popleft()
            if state == SliceState.COARSE:
                return "coarse", (index, self._done, content.shape[0])
            self._done += 1
            return "processed", (index, self._done, content.shape[0])

    def _call_back(self, kind: str, what: Any) -> None:
        key: int | str = "on_volume_initialized"
        try:
            if kind == "frame":
                key = what.name
                if self._on_frame is not None:
                    self._on_frame(what)
            elif kind == "initialized":
                if self._on_volume_initialized is not None:
                    self._on_volume_initialized(self)
            else:
                key = what[0]
                self._tell_listeners(what[0])
                called = self._on_slice_coarse if kind == "coarse" else self._on_slice_processed
                if called is not None:
                    called(*what)
        except Exception as failure:
            _log.exception("a callback of '%s' raised", self.name)
            self._filling.note(key, failure)

    def listen(self, listener: Callable[[int], object]) -> None:
        """Have `listener` called with the index of each slice that comes, coarse and broken ones too.

        Parameters
        ----------
        listener : is called before the callbacks of `open_volume`, by the same threads, and kept as
            long as the volume. A running event loop, if there is one, calls it from now on.
        """
        self._listeners.append(listener)
        self._follow()

    def _tell_listeners(self, index: int) -> None:
        for listener in self._listeners:
            try:
                listener(index)
            except Exception:
                _log.exception("a listener to '%s' raised", self.name)

    def _follow(self) -> None:
        """Have the running event loop, if there is one, call back."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        loop.call_soon(_tick, weakref.ref(self), loop)

    def __iter__(self) -> Iterator[int]:
        """Yield the index of each slice as it arrives, calling back meanwhile."""
        position = 0
        over = False
        while not over:
            indices, position, over = self._arrived_since(position)
            yield from indices
            if not indices and not over:
                self._await_news(_LOOK)

    async def __aiter__(self) -> AsyncIterator[int]:
        position = 0
        over = False
        while not over:
            indices, position, over = self._arrived_since(position)
            for index in indices:
                yield index
            if not indices and not over:
                await asyncio.sleep(_TICK)

    def _arrived_since(self, position: int) -> tuple[list[int], int, bool]:
        """Call back; return which slices have become full since, where to go on, and whether all came."""
        self.dispatch()
        over = self.finished
        arrived = [] if self._filling.content is None else self._memory().arrivals(position, 0)
        if over and not arrived:
            self._filling.raise_failure()
        full = [index for index, state, _ in arrived if state == SliceState.FULL]
        return full, position + len(arrived), over and not arrived

    def __await__(self) -> "Generator[Any, None, Volume]":
        return self._finish().__await__()

    async def _finish(self) -> "Volume":
        over = False
        while not over:
            over = self.finished
            if self.dispatch() or not over:
                over = False
                await asyncio.sleep(_TICK)
        self._filling.raise_failure()
        return self

    # ---- steering

    def prioritise(self, index: int) -> None:
        """Go on outwards from slice `index` with what has not been begun."""
        self._check_index(index)
        self._filling.prioritise(index)

    def _check_index(self, index: int) -> None:
        count = len(self)
        if not 0 <= index < count:
            raise _core.ArgumentError(f"slice {index}, expected 0 ... {count - 1}")

    def cancel(self) -> None:
        """Stop loading. Slices that are there stay."""
        self._filling.cancel()

    def close(self) -> None:
        """Cancel, and wait until no thread works on the volume any more."""
        self._stop()

    def __enter__(self) -> "Volume":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def read_slice(self, index: int) -> npt.NDArray[Any]:
        """Return one slice as an array of its own, whatever has been loaded.

        Parameters
        ----------
        index : 0 ... slices - 1

        Returns
        -------
        pixels : shape (rows, columns[, 3]), `dtype`; decoded from the source, nothing is kept

        Raises
        ------
        ArgumentError
            If there is no such slice, or the source is a stream and the slice has not arrived.
        """
        content = self._content()
        self._check_index(index)
        if content.memory is not None and content.memory.loaded[index]:
            copy: npt.NDArray[Any] = content.memory.array[index].copy()
            return copy
        if content.read_slice is None:
            raise _core.ArgumentError(
                f"slice {index} of '{self.name}' has not arrived, and streams cannot seek"
            )
        pixels: npt.NDArray[Any] = content.read_slice(index)
        return pixels

    # ---- exchange

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        array = self.array
        if dtype is not None and np.dtype(dtype) != array.dtype:
            if copy is False:
                raise ValueError(f"dtype {array.dtype} cannot become {np.dtype(dtype)} without a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, number = self.array.__dlpack_device__()
        return int(kind), int(number)

    def to_sitk(self) -> Any:
        """Return a copy as SimpleITK image, see `spinekit.volumes.exchange.to_sitk`."""
        from spinekit.volumes.exchange import to_sitk  # noqa: PLC0415 - its libraries are optional

        return to_sitk(self)

    def to_vtk(self) -> Any:
        """Return a vtkImageData on the same memory, see `spinekit.volumes.exchange.to_vtk`."""
        from spinekit.volumes.exchange import to_vtk  # noqa: PLC0415

        return to_vtk(self)

    def to_nifti(self) -> Any:
        """Return a nibabel image, see `spinekit.volumes.exchange.to_nifti`."""
        from spinekit.volumes.exchange import to_nifti  # noqa: PLC0415

        return to_nifti(self)

    # ---- words

    def describe(self) -> str:
        """Return what the volume is and how far it is, in words."""
        content = self._filling.content
        if content is None:
            state = self._filling.failure or ("cancelled" if self._filling.cancelled else "opening")
            return f"'{self.name}': {state}"
        size = " x ".join(map(str, content.shape))
        if content.memory is None:
            progress = "on demand"
        else:
            progress = f"{int(np.count_nonzero(content.memory.loaded))} of {content.shape[0]} slices"
        memory = content.memory
        broken = sum(isinstance(k, int) and not (memory and memory.loaded[k]) for k in self.errors)
        return (
            f"'{self.name}': {content.modality or 'no modality'}, {size} {np.dtype(content.dtype)}, "
            f"{progress}{f', {broken} broken' if broken else ''}; {content.geometry}"
        )

    def __repr__(self) -> str:
        return f"<Volume {self.describe()}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.describe())}</pre>"


def _tick(reference: "weakref.ref[Volume]", loop: asyncio.AbstractEventLoop) -> None:
    volume = reference()
    if volume is None:
        return
    over = volume.finished
    if volume.dispatch() or not over:
        loop.call_later(_TICK, _tick, reference, loop)


class _LateProgress:
    """A bar for waits that take longer than a look."""

    def __init__(self, volume: Volume, progress: bool | None) -> None:
        self._volume = volume
        self._progress = progress
        self._started = time.monotonic()
        self._bar: Progress | None = None
        self._shown = 0

    def __enter__(self) -> "_LateProgress":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def show(self, done: int) -> None:
        if self._bar is None:
            if not self._volume.initialized or time.monotonic() - self._started < 0.5:
                return
            self._bar = Progress(len(self._volume), self._progress, "loading")
        while self._shown < done:
            self._shown += 1
            self._bar.advance()
