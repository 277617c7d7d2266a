"""A folder of SVG files for a cutter: what an earlier run left there, and how new files take its place."""

import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spinekit import _engine
from spinekit._core import ArgumentError

SHEET = "pieces.svg"

_NAME = re.compile(r"piece-([0-9]{4,})\.svg")
_MARK = re.compile(
    rb"<!-- spinekit [^ ]+, crc32 of pieces:((?: [0-9]+ [0-9a-f]{8})*); of the above ([0-9a-f]{8}) -->\n\Z"
)


@dataclass(frozen=True)
class SvgFiles:
    """What was written for a cutter.

    Attributes
    ----------
    folder : that all is in
    files : of the pieces, by number
    sheet : with all pieces at their places
    left_out : numbers of pieces that have no file and are not on the sheet, as their outlines have fewer than
        three points
    removed : files of an earlier run
    """

    folder: Path
    files: tuple[Path, ...]
    sheet: Path
    left_out: tuple[int, ...] = ()
    removed: tuple[Path, ...] = ()

    def __str__(self) -> str:
        count = f"{len(self.files)} piece{'' if len(self.files) == 1 else 's'}"
        lines = [f"'{self.folder}': {count}, and {self.sheet.name} with all at their places"]
        if self.left_out:
            lines.append(f"left out, with fewer than three points: {numbers_text(self.left_out)}")
        if self.removed:
            lines.append(f"removed of an earlier run: {len(self.removed)}")
        return "\n".join(lines)


def numbers_text(numbers: tuple[int, ...], most: int = 12) -> str:
    """Return numbers for people, the first ones of many."""
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most} more"


def contents(pieces: Mapping[int, str], sheet: str) -> dict[str, bytes]:
    """Return the files of pieces and their sheet by name, the sheet last.

    Parameters
    ----------
    pieces : text of each file by number, ascending
    sheet : text of the sheet
    """
    digits = max(4, len(str(max(pieces, default=0))))
    files = {f"piece-{number:0{digits}d}.svg": text.encode() for number, text in pieces.items()}
    # What tells a later run whether they are still what was written: pieces' own files have no room for it.
    sums = "".join(
        f" {number} {zlib.crc32(data):08x}" for number, data in zip(pieces, files.values(), strict=True)
    )
    whole = zlib.crc32(sheet.encode())
    mark = f"<!-- {_engine.SOFTWARE}, crc32 of pieces:{sums}; of the above {whole:08x} -->\n"
    return files | {SHEET: (sheet + mark).encode()}


def write_folder(
    folder: str | os.PathLike[str], files: Mapping[str, bytes], left_out: tuple[int, ...], overwrite: bool
) -> SvgFiles:
    """Write the files of pieces and their sheet; all of them or, until each is on the disk, none.

    Parameters
    ----------
    folder : made where it is missing
    files : as `contents` gives them
    left_out : numbers without a file
    overwrite : remove our files of an earlier run that are not among these

    Raises
    ------
    ArgumentError
        If there is a file in the way that we did not write or that was changed since, or one of an earlier
        run and not `overwrite`.
    ResourceError
        If a file cannot be written.
    """
    place = _engine.path_of(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        stale = _stale(place, files, overwrite)
        _engine.write_files(place, files)
        for path in stale:
            path.unlink()
    except OSError as failure:
        raise _engine.os_error(place, "cannot be written", failure) from failure
    pieces = tuple(place / name for name in files if name != SHEET)
    return SvgFiles(place, pieces, place / SHEET, left_out, tuple(stale))


def _stale(place: Path, files: Mapping[str, bytes], overwrite: bool) -> list[Path]:
    sums = _sums(place / SHEET)
    stale = []
    for name in sorted(os.listdir(place), key=lambda name: (name != SHEET, name)):
        found = _NAME.fullmatch(name)
        if name != SHEET and not found:
            continue
        path = place / name
        ours = sums is not None
        if sums is not None and found:
            ours = path.is_file() and zlib.crc32(path.read_bytes()) == sums.get(int(found[1]))
        if name in files and not ours:
            raise ArgumentError(
                f"'{path}' is in the way: it was not written by spinekit, or changed since; move it away, or "
                "choose another folder"
            )
        if name not in files and ours:
            stale.append(path)
    if stale and not overwrite:
        raise ArgumentError(
            f"'{place}' holds {len(stale)} files of an earlier run that this one does not write, as "
            f"'{stale[0].name}'; choose another folder, or have them removed with overwrite=True"
        )
    return stale


def _sums(sheet: Path) -> dict[int, int] | None:
    """Return the checksums of pieces that a sheet tells; None where it is not there as we wrote it."""
    if not sheet.is_file():
        return None
    data = sheet.read_bytes()
    mark = _MARK.search(data)
    if mark is None or int(mark[2], 16) != zlib.crc32(data[: mark.start()]):
        return None
    words = mark[1].split()
    return {int(number): int(one, 16) for number, one in zip(words[::2], words[1::2], strict=True)}
