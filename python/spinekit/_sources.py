"""Where the files of a batch come from: one file, a folder tree, a ZIP."""

import io
import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from spinekit import _core, _engine

#: A ZIP entry may unpack to this many times its size, beyond 64 MiB.
_MOST_EXPANSION = 100
_ALWAYS_ALLOWED = 64 << 20

#: The journals of runs: never sources.
JOURNAL_NAME = "spinekit-report.jsonl"
OLD_JOURNAL_NAME = "spinekit-report.old.jsonl"
_JOURNALS = (JOURNAL_NAME, OLD_JOURNAL_NAME)

#: What DICOM files are called, where they have a suffix at all.
DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")


@dataclass(frozen=True)
class Item:
    """One file of a batch: where it goes to, and how its bytes are had."""

    name: str  # relative, with forward slashes
    label: str  # for messages: the path, or the ZIP and its entry
    size: int
    modified: int  # nanoseconds, or the ZIP entry's CRC
    read: Callable[[], bytes]
    problem: str = ""  # why it is not even tried
    open: Callable[[], IO[bytes]] = io.BytesIO
    location: _core.FileLocation | None = None  # the same for the engine

    def head(self) -> bytes:
        """Return its first 132 bytes, or fewer."""
        with self.open() as file:
            return file.read(132)


def list_items(source: Path) -> list[Item]:
    """Return what a source holds, sorted by name.

    Raises
    ------
    ResourceError
        If the source does not exist or cannot be listed.
    MalformedDataError
        If it is called a ZIP and is none.
    """
    try:
        mode = source.stat().st_mode
    except OSError as failure:
        raise _engine.os_error(source, "cannot be read", failure) from failure
    if stat.S_ISDIR(mode):
        return _folder_items(source)
    if zipfile.is_zipfile(source) and not _is_dicom(source):
        return _zip_items(source)
    if source.suffix.lower() == ".zip":
        raise _core.MalformedDataError(f"'{source}': not a ZIP file, or cut off before its directory")
    return [_file_item(source, source.name)]


def is_broken_image(item: Item, error: BaseException) -> bool:
    """Return whether a file that could not be used is worth an error: text files are not."""
    path = PurePosixPath(item.name)
    # What a Mac puts beside every file is none.
    if "not an image" in str(error) or "__MACOSX" in path.parts or path.name.startswith("._"):
        return False
    if item.name.lower().endswith(DICOM_SUFFIXES):
        return True
    try:
        head = item.head()
    except Exception:  # what is damaged in one way is so in another
        return True
    # Nothing, or nothing but zeros: what is left of a file that was lost.
    return head[128:132] == b"DICM" or not head.strip(b"\0")


def is_batch(source: Path) -> bool:
    """Return whether a source stands for many files."""
    return source.is_dir() or (zipfile.is_zipfile(source) and not _is_dicom(source))


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _failed_item(name: str, path: Path, problem: str) -> Item:
    return Item(name, str(path), 0, 0, bytes, problem)


def _file_item(path: Path, name: str) -> Item:
    try:
        status = path.stat()
    except OSError as failure:
        return _failed_item(name, path, str(_engine.os_error(path, "cannot be read", failure)))
    if not stat.S_ISREG(status.st_mode):
        return _failed_item(name, path, f"'{path}': neither a file nor a folder")
    return Item(
        name,
        str(path),
        status.st_size,
        status.st_mtime_ns,
        lambda: _engine.read_file(path),
        open=lambda: path.open("rb"),
        location=_core.FileLocation(os.fsencode(path), os.fsencode(path)),
    )


def _folder_items(folder: Path) -> list[Item]:
    items = []

    def unreadable(failure: OSError) -> None:
        path = Path(failure.filename or folder)
        problem = str(_engine.os_error(path, "cannot be listed", failure))
        items.append(_failed_item(path.relative_to(folder).as_posix(), path, problem))

    for base, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        for name in folders:
            path = Path(base, name)
            if path.is_symlink():
                problem = f"'{path}': a link to a folder, not followed; name it as a source of its own"
                items.append(_failed_item(path.relative_to(folder).as_posix(), path, problem))
        for file in files:
            if file.endswith(_engine.PART_SUFFIX) or (file in _JOURNALS and Path(base) == folder):
                continue
            path = Path(base, file)
            items.append(_file_item(path, path.relative_to(folder).as_posix()))
    return sorted(items, key=lambda item: item.name)


def _zip_items(source: Path) -> list[Item]:
    try:
        # Stays open as long as an item lives: reading its directory for every entry would be slow.
        archive = zipfile.ZipFile(source)
        entries = [e for e in archive.infolist() if not e.is_dir() and e.filename not in _JOURNALS]
    except (zipfile.BadZipFile, OSError) as failure:
        raise _core.MalformedDataError(f"'{source}': its ZIP directory is damaged: {failure}") from failure
    items = []
    names: set[str] = set()
    for entry in entries:
        name = PurePosixPath(entry.filename).as_posix()
        problem = entry_problem(str(source), entry, names)
        names.add(name)
        read = _entry_reader(archive, entry)
        label = f"{source}:{name}"
        location = _core.FileLocation(
            os.fsencode(source),
            label.encode("utf-8", "surrogateescape"),
            offset=entry.header_offset,
            packed_bytes=entry.compress_size,
            size=entry.file_size,
            method=entry.compress_type,
            crc=entry.CRC,
        )
        items.append(
            Item(
                name,
                label,
                entry.file_size,
                entry.CRC,
                read,
                problem,
                _entry_opener(archive, entry),
                location,
            )
        )
    return sorted(items, key=lambda item: item.name)


def entry_problem(source: str, entry: zipfile.ZipInfo, names: set[str]) -> str:
    """Return why an entry is not even tried, or nothing; `names` are those before it."""
    path = PurePosixPath(entry.filename)
    where = f"'{source}', entry '{entry.filename}'"
    if path.is_absolute() or ".." in path.parts:
        return f"{where}: its name climbs out of the folder"
    if path.as_posix() in names:
        return f"{where}: stands twice in the ZIP"
    if entry.flag_bits & 1:
        return f"{where}: encrypted; unpack it first"
    if entry.file_size > max(_ALWAYS_ALLOWED, _MOST_EXPANSION * entry.compress_size):
        return f"{where}: claims {entry.file_size} bytes from {entry.compress_size}; not unpacked"
    return ""


def _entry_opener(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(entry)


def _entry_reader(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return archive.read(entry)
        except Exception as failure:  # zlib.error, BadZipFile and what else it raises have no common base
            raise _core.MalformedDataError(
                f"'{archive.filename}', entry '{entry.filename}': cannot be unpacked: {failure}"
            ) from failure

    return read
