"""Volumes out of sources that give any range of their bytes: files on a server, file objects."""

import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

import numpy as np

from spinekit import _core
from spinekit._sources import entry_problem
from spinekit.volumes.choosing import Source, choose, content_of
from spinekit.volumes.filling import Content, Filling
from spinekit.volumes.local import COARSE_REDUCTION, Wishes
from spinekit.volumes.manifest import MANIFEST_NAME, Manifest, parse_manifest
from spinekit.volumes.order import slice_order
from spinekit.volumes.streams import bundle_content, fill_from_chunks

#: Extra fields of a local header that are read along with it; longer ones cost a second request.
_SLACK = 64
_BLOCK = 1 << 16
#: So many beginnings of slices are kept until the rest is fetched, of so many bytes each: 32 MiB at most.
_MOST_BEGUN = 1024
_MOST_HEAD = 1 << 15


class RangedBytes(Protocol):
    """Bytes that can be read anywhere, from `parallel` threads at once."""

    size: int
    parallel: int

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes at `offset`; fewer only at the end."""


class SeekableObject:
    """A file object that can seek; its position is put back after each use."""

    parallel = 1

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        with self._lock:
            before = stream.tell()
            self.size = stream.seek(0, io.SEEK_END)
            stream.seek(before)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes at `offset`; fewer only at the end."""
        with self._lock:
            before = self._stream.tell()
            try:
                self._stream.seek(offset)
                found = b""
                while len(found) < length and (chunk := self._stream.read(length - len(found))):
                    found += chunk
                return found
            finally:
                self._stream.seek(before)


class _Window:
    """A part of ranged bytes, as the engine reads it: short reads are errors."""

    def __init__(self, whole: RangedBytes, offset: int, size: int, read_ahead: int) -> None:
        self._whole = whole
        self._offset = offset
        self.size = size
        self._read_ahead = read_ahead
        self._block_at = 0
        self._block = b""

    def read_at(self, offset: int, length: int) -> bytes:
        start = offset - self._block_at
        if not 0 <= start <= start + length <= len(self._block):
            wanted = min(max(length, self._read_ahead), self.size - offset)
            self._block = self._whole.read_at(self._offset + offset, wanted)
            self._block_at = offset
            start = 0
        found = self._block[start : start + length]
        if len(found) != length:
            raise _core.MalformedDataError(
                f"cut off: {length} bytes wanted at byte {offset}, got {len(found)}"
            )
        return found


class _RangedFile(io.RawIOBase):
    """What `zipfile` reads the directory of an archive through."""

    def __init__(self, whole: RangedBytes) -> None:
        super().__init__()
        self._whole = whole
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._whole.size}[whence]
        self._position = max(start + offset, 0)
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), max(self._whole.size - self._position, 0))
        found = self._whole.read_at(self._position, count) if count else b""
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)


def fill_from_ranges(filling: Filling, whole: RangedBytes, wishes: Wishes) -> None:
    """Fill a volume from a ZIP or a DICOM file whose bytes can be read anywhere."""
    head = whole.read_at(0, min(whole.size, 132))
    if not head:
        raise _core.MalformedDataError(f"'{filling.name}' is empty")
    if head[128:132] == b"DICM":
        return _fill_from_dicom(filling, whole, wishes)
    try:
        entries = zip_entries(filling.name, whole)
    except _core.MalformedDataError:
        if head[:4] != b"PK\x03\x04":
            raise
        return fill_from_chunks(filling, _in_order(whole), wishes)
    if entries and entries[0].filename == MANIFEST_NAME:
        manifest = parse_manifest(_unpacked(whole, entries[0]), filling.name)
        return fill_from_bundle(filling, whole, wishes, manifest, entries)
    return _fill_from_zip(filling, whole, wishes, entries)


def _in_order(whole: RangedBytes) -> Iterator[bytes]:
    """Yield everything from the beginning: what is left where a ZIP has lost its directory."""
    for start in range(0, whole.size, _BLOCK):
        yield whole.read_at(start, min(_BLOCK, whole.size - start))


def zip_entries(name: str, whole: RangedBytes) -> list[zipfile.ZipInfo]:
    """Return the files of a ZIP, from its directory."""
    try:
        archive = zipfile.ZipFile(io.BufferedReader(_RangedFile(whole), _BLOCK))
        return [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, OverflowError) as failure:
        raise _core.MalformedDataError(
            f"'{name}': neither a DICOM file nor a whole ZIP: {failure}"
        ) from failure


# ---- one DICOM file


def _fill_from_dicom(filling: Filling, whole: RangedBytes, wishes: Wishes) -> None:
    file = _core.DicomFile(_Window(whole, 0, whole.size, _BLOCK))
    stack = choose(filling.name, [Source(filling.name, file.header)], wishes.series, wishes.dtype)
    content = content_of(filling.name, stack, wishes.order, keep=wishes.keep)
    numbers = [frame for _, frame in stack.origins]

    def make_frames() -> _core.FetchedFrames:
        return _core.FetchedFrames(stack.labels, file, numbers)

    def give(frames: _core.FetchedFrames, index: int, reduction: int) -> None:
        offset, length = file.extent(numbers[index])
        frames.give_extent(index, reduction, whole.read_at(offset, length))

    start_fetching(filling, content, Fetching(make_frames, give, whole.parallel))


# ---- ZIPs


def _find_entry(whole: RangedBytes, entry: zipfile.ZipInfo, length: int) -> tuple[int, bytes]:
    """Return where the packed bytes of an entry begin, and the first of them.

    One request where the entry's header is as usual.
    """
    guessed = 30 + len(entry.filename.encode()) + len(entry.extra) + _SLACK
    found = whole.read_at(entry.header_offset, guessed + length)
    header = _core.local_header_bytes(found[:30])
    start = entry.header_offset + header
    if header > guessed:
        return start, whole.read_at(start, length)
    return start, found[header : header + length]


def _read_entry(whole: RangedBytes, entry: zipfile.ZipInfo, length: int) -> bytes:
    return _find_entry(whole, entry, length)[1]


def _unpacked(whole: RangedBytes, entry: zipfile.ZipInfo) -> bytes:
    raw = _read_entry(whole, entry, entry.compress_size)
    return _core.unpack_entry(raw, entry.compress_type, entry.file_size, entry.CRC).tobytes()


class _EntryHead:
    """The beginning of an entry, as far as a header's reader wants it."""

    def __init__(self, whole: RangedBytes, entry: zipfile.ZipInfo) -> None:
        self.size = entry.file_size
        self._whole = whole
        self._entry = entry
        self._found = b""

    def read_at(self, offset: int, length: int) -> bytes:
        end = offset + length
        if end > len(self._found):
            entry = self._entry
            if entry.compress_type == zipfile.ZIP_STORED:
                self._found = _read_entry(self._whole, entry, end)
            else:
                raw = _read_entry(self._whole, entry, min(entry.compress_size, end + end // 16 + 256))
                self._found = _core.unpack_prefix(raw, entry.compress_type, end)
        return self._found[offset:end]


def _fill_from_zip(
    filling: Filling, whole: RangedBytes, wishes: Wishes, entries: list[zipfile.ZipInfo]
) -> None:
    names: set[str] = set()
    usable = []
    for entry in entries:
        problem = entry_problem(filling.name, entry, names)
        names.add(PurePosixPath(entry.filename).as_posix())
        if problem:
            filling.note(f"{filling.name}:{entry.filename}", _core.MalformedDataError(problem))
        else:
            usable.append(entry)
    headers: list[_core.ImageHeader | BaseException | None] = [None] * len(usable)
    numbers = iter(range(len(usable)))
    lock = threading.Lock()

    def scan(_: Filling | None = None) -> None:
        while not filling.cancelled:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                headers[number] = _core.DicomFile(_EntryHead(whole, usable[number])).header
            except _core.SpinekitError as failure:
                headers[number] = failure

    others = [threading.Thread(target=scan, daemon=True) for _ in range(whole.parallel - 1)]
    for thread in others:
        thread.start()
    scan()
    for thread in others:
        thread.join()
    if filling.cancelled:
        return
    sources, files = [], []
    for entry, header in zip(usable, headers, strict=True):
        label = f"{filling.name}:{entry.filename}"
        if isinstance(header, _core.ImageHeader):
            sources.append(Source(label, header))
            files.append(entry)
        elif header is not None and PurePosixPath(entry.filename).suffix.lower() in (".dcm", ".ima"):
            filling.note(label, header)
    stack = choose(filling.name, sources, wishes.series, wishes.dtype)
    if any(len(sources[n].frames) > 1 for n, _ in stack.origins):
        raise _core.UnsupportedError(
            f"'{filling.name}': multiframe files in a ZIP that is read by ranges; save it to a file first"
        )
    content = content_of(filling.name, stack, wishes.order, keep=wishes.keep)
    chosen = [files[n] for n, _ in stack.origins]
    fetching = _entry_fetching(whole, chosen, stack.labels, wishes, None)
    start_fetching(filling, content, fetching)


def fill_from_bundle(
    filling: Filling,
    whole: RangedBytes,
    wishes: Wishes,
    manifest: Manifest,
    entries: list[zipfile.ZipInfo],
) -> None:
    """Fill a volume from a bundle whose bytes can be read anywhere."""
    by_name = {entry.filename: entry for entry in entries}
    order = slice_order(manifest.shape[0], wishes.order)
    content = bundle_content(filling, wishes, manifest, order)
    chosen: list[zipfile.ZipInfo] = []
    coarse: list[int | None] = []
    for slot in sorted(manifest.entries, key=lambda entry: entry.index):
        if slot.name not in by_name or entry_problem(filling.name, by_name[slot.name], set()):
            raise _core.MalformedDataError(f"'{filling.name}': the ZIP does not hold '{slot.name}'")
        chosen.append(by_name[slot.name])
        coarse.append(slot.coarse)
    fetching = _entry_fetching(whole, chosen, content.labels, wishes, coarse)
    start_fetching(filling, content, fetching)


# ---- fetching


@dataclass
class Fetching:
    """How slices are fetched: `give` hands the bytes of one to frames that `make_frames` made."""

    make_frames: Callable[[], _core.FetchedFrames]
    give: Callable[[_core.FetchedFrames, int, int], None]
    parallel: int
    coarse: bool = False


def _entry_fetching(
    whole: RangedBytes,
    entries: list[zipfile.ZipInfo],
    labels: list[str],
    wishes: Wishes,
    coarse: list[int | None] | None,
) -> Fetching:
    begun: dict[int, tuple[int, bytes]] = {}  # what a slice's coarse picture came from, and where it lies
    room = threading.Semaphore(_MOST_BEGUN)

    def give(frames: _core.FetchedFrames, index: int, reduction: int) -> None:
        entry = entries[index]
        if reduction == 0:
            start, head = begun.pop(index, (0, b""))
            if head:
                room.release()
                raw = head + whole.read_at(start + len(head), entry.compress_size - len(head))
            else:
                raw = _read_entry(whole, entry, entry.compress_size)
            unpacked = _core.unpack_entry(raw, entry.compress_type, entry.file_size, entry.CRC)
            frames.give_entry(index, unpacked)
        elif coarse is not None and (length := coarse[index]) is not None:
            start, head = _find_entry(whole, entry, min(length, entry.compress_size))
            if len(head) <= _MOST_HEAD and room.acquire(blocking=False):
                begun[index] = (start, head)
            frames.give_file(index, reduction, head, entry.file_size)

    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    has_coarse = coarse is not None and all(length is not None for length in coarse) and stored
    coarse_wanted = has_coarse and wishes.coarse is not False
    return Fetching(lambda: _core.FetchedFrames(labels), give, whole.parallel, coarse_wanted)


def start_fetching(filling: Filling, content: Content, fetching: Fetching) -> None:
    """Fetch slices as the loader wants them, in threads."""
    # What is read apart must not take from the loader what was fetched for it.
    apart = fetching.make_frames()
    reading = threading.Lock()

    def read_slice(index: int) -> Any:
        with reading:
            fetching.give(apart, index, 0)
            return apart.read(index, np.dtype(content.dtype))

    content.read_slice = read_slice
    if content.memory is None:
        filling.initialise(content, None)
        return
    reduction = COARSE_REDUCTION if fetching.coarse else 0
    frames = fetching.make_frames()
    loader = _core.Loader(content.memory, frames, filling.executor, content.order, reduction, supplied=True)
    filling.initialise(content, loader)

    lock = threading.Lock()
    begun: dict[int, threading.Event] = {}

    def give(index: int, reduction: int) -> None:
        # The first picture of a kind has the link for itself: who shares it comes later.
        with lock:
            alone = reduction not in begun
            first_there = begun.setdefault(reduction, threading.Event())
        if not alone:
            first_there.wait()
        try:
            fetching.give(frames, index, reduction)
        finally:
            first_there.set()

    def fetch(_: Filling) -> None:
        while (wanted := loader.next_wanted()) is not None:
            index, reduction = wanted
            try:
                give(index, reduction)
            except _core.CancelledError:
                return
            except Exception as failure:  # of whatever library gives the bytes
                if reduction == 0:
                    kind = type(failure) if isinstance(failure, _core.SpinekitError) else _core.ResourceError
                    loader.fail(index, kind(f"'{content.labels[index]}': {failure}"))
                continue
            loader.supply(index, reduction)

    for number in range(fetching.parallel):
        filling.run(fetch, f"fetching-{number}")
