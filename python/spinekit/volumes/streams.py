"""Volumes out of streams that can only be read forward: pipes, responses, anything with read()."""

import contextlib
import io
import os
import queue
import select
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np

from spinekit import _core
from spinekit._temporary import NamelessFile
from spinekit.volumes.choosing import Source, choose, content_of, make_memory
from spinekit.volumes.filling import Content, Filling
from spinekit.volumes.local import Wishes, fill_from_location
from spinekit.volumes.manifest import MANIFEST_NAME, Manifest, parse_manifest
from spinekit.volumes.volume import Frame

#: Bytes asked for at a time: a fraction of a slice, so that nothing waits for what follows it.
_CHUNK = 1 << 16

Chunks = Iterator[bytes]


def fill_from_stream(filling: Filling, stream: Any, wishes: Wishes) -> None:
    """Fill a volume from an object with read(); one that can seek is read as a file is."""
    if isinstance(stream, io.TextIOBase):
        raise _core.ArgumentError(f"'{filling.name}' is open as text; open it in binary mode")
    seekable = getattr(stream, "seekable", None)
    if seekable is not None and seekable():
        from spinekit.volumes.ranged import SeekableObject, fill_from_ranges  # noqa: PLC0415

        return fill_from_ranges(filling, SeekableObject(stream), wishes)
    return fill_from_chunks(filling, chunks_of(stream, filling), wishes)


def chunks_of(stream: Any, filling: Filling) -> Chunks:
    """Yield what a stream gives, as soon as it gives it, until its end or the volume's."""
    read = getattr(stream, "read1", None) or stream.read
    descriptor = _pipe_of(stream)
    while not filling.cancelled:
        # Who waits within read() cannot be told to stop, and holds the lock of sys.stdin at exit.
        if descriptor is not None and not select.select([descriptor], [], [], 0.1)[0]:
            continue
        try:
            chunk = read(_CHUNK)
        except Exception as failure:  # of the system, of zlib, of whatever library the object is from
            if not filling.cancelled:
                filling.note("stream", _core.ResourceError(f"'{filling.name}' cannot be read on: {failure}"))
            return
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise _core.ArgumentError(
                f"'{filling.name}': read() gave {type(chunk).__name__}, expected bytes; "
                "open it in binary mode"
            )
        if not chunk:
            return
        yield bytes(chunk)


def _pipe_of(stream: Any) -> int | None:
    if not isinstance(stream, io.BufferedReader | io.FileIO):
        return None
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return None
    return None if stat.S_ISREG(os.fstat(descriptor).st_mode) else descriptor


def fill_from_chunks(filling: Filling, chunks: Chunks, wishes: Wishes) -> None:
    """Fill a volume from the bytes of a ZIP or a DICOM file, in their order."""
    if not wishes.keep:
        raise _core.ArgumentError(
            f"'{filling.name}': load='on-demand' needs a source that can seek; save the stream to a file"
        )
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 132:
            break
    if not head:
        raise _core.MalformedDataError(f"'{filling.name}': the stream is empty")
    if head[128:132] == b"DICM":
        return _fill_from_dicom(filling, head, chunks, wishes)
    return _ZipFilling(filling, wishes).run(head, chunks)


def _fill_from_dicom(filling: Filling, head: bytes, chunks: Chunks, wishes: Wishes) -> None:
    """Keep a DICOM file in a temporary one, for its frames to be read out of it."""
    spool = NamelessFile(filling.name)
    spool.write(head)
    for chunk in chunks:
        spool.write(chunk)
    if filling.cancelled:
        return
    location = _core.FileLocation(os.fsencode(spool.path), filling.name.encode("utf-8", "surrogateescape"))
    fill_from_location(filling, location, wishes, owner=spool)


class _ZipFilling:
    """Takes entries as they come; the first one says which way to go."""

    def __init__(self, filling: Filling, wishes: Wishes) -> None:
        self._filling = filling
        self._wishes = wishes
        self._zip = _core.ZipStream()
        self._taker: _Bundle | _Foreign | None = None

    def run(self, head: bytes, chunks: Chunks) -> None:
        damage = self._feed(head)
        for chunk in chunks:
            if damage is not None or self._zip.directory_reached:
                break
            damage = self._feed(chunk)
        if self._filling.cancelled:
            return
        if damage is None:
            try:
                self._zip.finish()
            except _core.MalformedDataError as failure:
                damage = f"'{self._filling.name}': {failure}"
        if self._taker is None:
            if damage is not None:
                raise _core.MalformedDataError(damage)
            raise _core.ArgumentError(f"'{self._filling.name}': an empty ZIP")
        self._taker.end(damage)

    def _feed(self, chunk: bytes) -> str | None:
        """Take what is complete with this chunk; return why the stream ends here, if it does."""
        damage = None
        try:
            self._zip.feed(chunk)
        except _core.MalformedDataError as failure:
            damage = f"'{self._filling.name}': {failure}"
        self._take()
        return damage

    def _take(self) -> None:
        while (entry := self._zip.next()) is not None:
            if self._taker is None:
                if entry.name == MANIFEST_NAME and not entry.problem:
                    manifest = parse_manifest(entry.tobytes(), self._filling.name)
                    self._taker = _Bundle(self._filling, self._wishes, manifest)
                    continue
                self._taker = _Foreign(self._filling, self._wishes)
            if not entry.directory:
                self._taker.take(entry)


def bundle_content(filling: Filling, wishes: Wishes, manifest: Manifest, order: list[int]) -> Content:
    """Return what a manifest tells of its volume."""
    if wishes.series not in (None, manifest.series_instance_uid):
        raise _core.ArgumentError(
            f"'{filling.name}': no series {wishes.series}; there is {manifest.series_instance_uid}"
        )
    dtype = manifest.dtype if wishes.dtype is None else np.dtype(wishes.dtype)
    labels = [""] * manifest.shape[0]
    for entry in manifest.entries:
        labels[entry.index] = f"{filling.name}:{entry.name}"
    return Content(
        make_memory(filling.name, manifest.shape, dtype, manifest.modality) if wishes.keep else None,
        manifest.shape,
        dtype,
        manifest.geometry,
        manifest.modality,
        order,
        manifest.series,
        labels=labels,
        photometric=manifest.photometric,
    )


class _Bundle:
    """Slices of a bundle: each goes to its place when it comes."""

    def __init__(self, filling: Filling, wishes: Wishes, manifest: Manifest) -> None:
        self._filling = filling
        self._indices = {entry.name: entry.index for entry in manifest.entries}
        content = bundle_content(filling, wishes, manifest, manifest.order)
        if content.memory is None:
            raise _core.ArgumentError("a stream keeps its volume")
        self._frames = _core.FetchedFrames(content.labels)
        self._loader = _core.Loader(
            content.memory, self._frames, filling.executor, manifest.order, supplied=True
        )
        filling.initialise(content, self._loader)

    def take(self, entry: _core.ZipEntry) -> None:
        index = self._indices.get(entry.name)
        if index is None:
            self._filling.note(
                entry.name, _core.MalformedDataError(f"entry '{entry.name}' is not in the manifest")
            )
        elif entry.problem:
            self._loader.fail(index, f"'{self._filling.name}': {entry.problem}")
        else:
            self._frames.give_entry(index, entry)
            self._loader.supply(index)

    def end(self, ended: str | None) -> None:
        if ended is not None:
            self._filling.note("stream", _core.MalformedDataError(ended))
        self._loader.end_supply(ended or f"'{self._filling.name}': the ZIP does not hold this slice")


class _Foreign:
    """Slices of any other ZIP: decoded when they come, placed when all have."""

    def __init__(self, filling: Filling, wishes: Wishes) -> None:
        self._filling = filling
        self._wishes = wishes
        self._spool = _core.FrameSpool(os.fsencode(tempfile.gettempdir()))
        self._lock = threading.Lock()  # guards what follows
        self._sources: list[tuple[int, Source, int]] = []  # (number, source, first frame in the spool)
        self._handed_out = 0
        self._count = 0
        workers = filling.executor.workers
        self._queue: queue.Queue[tuple[int, _core.ZipEntry] | None] = queue.Queue(maxsize=2 * workers)
        self._left = threading.Semaphore(0)
        self._workers = workers
        for number in range(workers):
            filling.run(self._work, f"spooling-{number}")
        filling.on_cancel(self._drain)

    def take(self, entry: _core.ZipEntry) -> None:
        name = f"{self._filling.name}:{entry.name}"
        if entry.problem:
            self._filling.note(name, _core.MalformedDataError(f"'{self._filling.name}': {entry.problem}"))
            return
        self._put((self._count, entry))
        self._count += 1

    def _put(self, item: tuple[int, _core.ZipEntry] | None) -> None:
        while not self._filling.ended:
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.1)
                return

    def _drain(self) -> None:
        for _ in range(self._workers):
            try:
                self._queue.put_nowait(None)
            except queue.Full:
                self._queue.get_nowait()
                self._queue.put_nowait(None)

    def _work(self, filling: Filling) -> None:
        try:
            while not filling.cancelled and (item := self._queue.get()) is not None:
                self._decode(*item)
        finally:
            self._left.release()

    def _decode(self, number: int, entry: _core.ZipEntry) -> None:
        label = f"{self._filling.name}:{entry.name}"
        data = cast(Any, entry)
        try:
            header = _core.image_header(data, label)
            first = self._spool.add(data, label, header)
        except _core.ResourceError:
            raise
        except _core.SpinekitError as failure:
            if bytes(memoryview(data)[128:132]) == b"DICM" and "not an image" not in str(failure):
                self._filling.note(label, failure)
            return
        with self._lock:
            self._sources.append((number, Source(label, header), first))
            handed_out = self._handed_out
            self._handed_out += len(header.frames)
        for index, frame in enumerate(header.frames):
            self._filling.hand_out(
                Frame(
                    handed_out + index,
                    entry.name,
                    header.series_instance_uid,
                    frame,
                    self._reader(first + index, np.dtype(_core.voxel_dtype(header, [frame]))),
                )
            )

    def _reader(self, number: int, dtype: Any) -> Callable[[], Any]:
        frames = _core.SpooledFrames(self._spool, [number])
        return lambda: frames.read(0, dtype)

    def end(self, ended: str | None) -> None:
        filling = self._filling
        for _ in range(self._workers):
            self._put(None)
        for _ in range(self._workers):
            while not self._left.acquire(timeout=0.1):
                if filling.cancelled:
                    return
        if filling.cancelled or filling.failure is not None:
            return
        if ended is not None:
            filling.note("stream", _core.MalformedDataError(ended))
        found = sorted(self._sources, key=lambda source: source[0])
        if not found and ended is not None:
            raise _core.MalformedDataError(ended)
        stack = choose(filling.name, [s for _, s, _ in found], self._wishes.series, self._wishes.dtype)
        content = content_of(filling.name, stack, self._wishes.order, keep=True)
        if content.memory is None:
            raise _core.ArgumentError("a stream keeps its volume")
        frames = _core.SpooledFrames(self._spool, [found[n][2] + f for n, f in stack.origins])
        content.read_slice = lambda index: frames.read(index, stack.dtype)
        loader = _core.Loader(content.memory, frames, filling.executor, content.order)
        filling.initialise(content, loader)
