"""Volumes out of files of this machine: folders, ZIPs, single files."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinekit import _core
from spinekit._sources import Item, is_broken_image, list_items
from spinekit._temporary import NamelessFile
from spinekit.volumes.choosing import Source, Stack, choose, content_of
from spinekit.volumes.filling import Filling
from spinekit.volumes.manifest import MANIFEST_NAME
from spinekit.volumes.order import Order


@dataclass(frozen=True)
class Wishes:
    """How a volume is to be opened, see `spinekit.open_volume`."""

    series: str | None = None
    order: Order | Sequence[int] = "middle-out"
    coarse: bool | None = None
    keep: bool = True
    dtype: Any = None


_CHUNK = 1 << 20

#: Sides of a coarse picture are a quarter of the full one's.
COARSE_REDUCTION = 2


def fill_from_paths(filling: Filling, paths: Sequence[Path], wishes: Wishes) -> None:
    """Scan the headers of files, folders and ZIPs, then load what they hold."""
    if len(paths) == 1 and _is_cut_zip(paths[0]):
        return _fill_from_cut_zip(filling, paths[0], wishes)
    items = [item for path in paths for item in list_items(path)]
    usable = [item for item in items if not item.problem and Path(item.name).name != MANIFEST_NAME]
    for item in items:
        if item.problem:
            filling.note(item.label, _core.ResourceError(item.problem))
    locations = [_location(item) for item in usable]
    scanned = _core.scan_headers(locations, filling.executor, filling.cancel_token)
    sources, files, used = [], [], []
    for item, location, header in zip(usable, locations, scanned, strict=True):
        if isinstance(header, _core.ImageHeader):
            sources.append(Source(item.label, header))
            files.append(location)
            used.append(item)
        elif is_broken_image(item, header):
            filling.note(item.label, header)
    if not sources:
        _raise_for(filling, usable, scanned)
    stack = choose(filling.name, sources, wishes.series, wishes.dtype)
    owners = []
    for number in sorted({number for number, _ in stack.origins}):
        item = used[number]
        if files[number].deflated and len(sources[number].header.frames) > 1:
            try:
                owners.append(_unpacked(item))
            except Exception as failure:  # zlib.error, BadZipFile and the system's have no common base
                raise _core.MalformedDataError(f"'{item.label}' cannot be unpacked: {failure}") from failure
            label = item.label.encode("utf-8", "surrogateescape")
            files[number] = _core.FileLocation(os.fsencode(owners[-1].path), label)
    return _load(filling, stack, files, wishes, owners)


def _is_cut_zip(path: Path) -> bool:
    """Return whether a file begins as a ZIP does and does not end as one."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04" and not zipfile.is_zipfile(path)
    except OSError:
        return False


def _fill_from_cut_zip(filling: Filling, path: Path, wishes: Wishes) -> None:
    """Load what is there of a ZIP without its directory, as of a stream that was cut off."""
    from spinekit.volumes.streams import chunks_of, fill_from_chunks  # noqa: PLC0415 - it imports this module

    with path.open("rb") as file:
        fill_from_chunks(filling, chunks_of(file, filling), wishes)


def _location(item: Item) -> _core.FileLocation:
    if item.location is None:
        raise _core.ArgumentError(f"'{item.label}' has no location")
    return item.location


def _unpacked(item: Item) -> NamelessFile:
    """Return a file of what is deflated, for its frames to be sought in."""
    unpacked = NamelessFile(item.label)
    with item.open() as entry:
        while chunk := entry.read(_CHUNK):
            unpacked.write(chunk)
    return unpacked


def fill_from_location(
    filling: Filling, location: _core.FileLocation, wishes: Wishes, owner: object = None
) -> None:
    """Load one file; `owner` is kept as long as it may be read."""
    (header,) = _core.scan_headers([location], filling.executor, filling.cancel_token)
    if not isinstance(header, _core.ImageHeader):
        raise header
    stack = choose(filling.name, [Source(filling.name, header)], wishes.series, wishes.dtype)
    _load(filling, stack, [location], wishes, owner)


def _load(
    filling: Filling,
    stack: Stack,
    files: list[_core.FileLocation],
    wishes: Wishes,
    owner: object = None,
) -> None:
    content = content_of(filling.name, stack, wishes.order, keep=wishes.keep)
    frames = _core.DicomFrames(files, stack.origins)
    content.read_slice = lambda index, _owner=owner: frames.read(index, stack.dtype)
    loader = None
    if content.memory is not None:
        reduction = COARSE_REDUCTION if wishes.coarse else 0
        loader = _core.Loader(content.memory, frames, filling.executor, content.order, reduction)
    elif content.order:
        frames.prepare(content.order[0])
    filling.initialise(content, loader)


def _raise_for(filling: Filling, items: Sequence[Item], scanned: Sequence[Any]) -> None:
    if len(items) == 1:
        raise scanned[0]
    reasons = [str(error) for error in filling.errors.values()]
    detail = f"; for instance {reasons[0]}" if reasons else ""
    raise _core.ArgumentError(
        f"'{filling.name}': none of {len(items)} files is a DICOM image that can be read{detail}"
    )


def path_names(paths: Sequence[str | os.PathLike[str]]) -> str:
    """Return a name for several paths."""
    first = os.fspath(paths[0])
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"
