"""Where the files of a batch come from: one file, a folder tree, a ZIP."""

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

#: Unfinished output, and the journals of runs: never sources.
PART_SUFFIX = ".spinekit-part"
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
    head: Callable[[], bytes] = bytes  # its first 132 bytes, or fewer


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
        head=lambda: _head(path.open("rb")),
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
            if file.endswith(PART_SUFFIX) or (file in _JOURNALS and Path(base) == folder):
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
        path = PurePosixPath(entry.filename)
        name = path.as_posix()
        problem = ""
        if path.is_absolute() or ".." in path.parts:
            problem = f"'{source}', entry '{entry.filename}': its name climbs out of the folder"
        elif name in names:
            problem = f"'{source}', entry '{entry.filename}': stands twice in the ZIP"
        elif entry.flag_bits & 1:
            problem = f"'{source}', entry '{entry.filename}': encrypted; unpack it first"
        elif entry.file_size > max(_ALWAYS_ALLOWED, _MOST_EXPANSION * entry.compress_size):
            problem = (
                f"'{source}', entry '{entry.filename}': claims {entry.file_size} bytes "
                f"from {entry.compress_size}; not unpacked"
            )
        names.add(name)
        read = _entry_reader(archive, entry)
        head = _entry_head(archive, entry)
        items.append(Item(name, f"{source}:{name}", entry.file_size, entry.CRC, read, problem, head))
    return sorted(items, key=lambda item: item.name)


def _head(file: IO[bytes]) -> bytes:
    with file:
        return file.read(132)


def _entry_head(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    return lambda: _head(archive.open(entry))


def _entry_reader(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return archive.read(entry)
        except Exception as failure:  # zlib.error, BadZipFile and what else it raises have no common base
            raise _core.MalformedDataError(
                f"'{archive.filename}', entry '{entry.filename}': cannot be unpacked: {failure}"
            ) from failure

    return read
