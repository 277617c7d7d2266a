"""A folder of SVG files for a cutter: what an earlier run left there, and how new files take its place."""

import os
import re
import shutil
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spinekit import _engine
from spinekit._core import ArgumentError

SHEET = "pieces.svg"

_NAME = re.compile(r"piece-[0-9]{4,}\.svg")
_NUMBER = r"-?[0-9.]+(?:e[-+][0-9]+)?"
_POINT = r"-?[0-9]+\.0000,-?[0-9]+\.0000"
# Wholly what `piece_svg` writes: the files have no room for a mark of ours.
_PIECE = re.compile(
    (
        rf'<svg xmlns="http://www\.w3\.org/2000/svg" width="{_NUMBER}(mm|px)" height="{_NUMBER}\1" '
        rf'viewBox="0 0 {_NUMBER} {_NUMBER}">'
        rf'<path transform="translate\({_NUMBER},{_NUMBER}\) scale\({_NUMBER},{_NUMBER}\)" '
        rf'd="M {_POINT}(?: L {_POINT})+ Z" fill="none" stroke="black"/></svg>\n'
    ).encode()
)
_MARK = re.compile(rb"<!-- spinekit [^ ]+, crc32 of the above ([0-9a-f]{8}) -->\n\Z")

#: From here on, one call for the whole disk is quicker than one for each file.
_MANY = 100


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
    """Return files by name, the sheet last.

    Parameters
    ----------
    pieces : text of each file by number, ascending
    sheet : text of the sheet
    """
    digits = max(4, len(str(max(pieces, default=0))))
    made = {f"piece-{number:0{digits}d}.svg": text.encode() for number, text in pieces.items()}
    mark = f"<!-- {_engine.SOFTWARE}, crc32 of the above {zlib.crc32(sheet.encode()):08x} -->\n"
    return made | {SHEET: (sheet + mark).encode()}


def write_folder(
    folder: str | os.PathLike[str], texts: Mapping[str, bytes], left_out: tuple[int, ...], overwrite: bool
) -> SvgFiles:
    """Write the files of pieces and their sheet; all of them or, until each is on the disk, none.

    Parameters
    ----------
    folder : made where it is missing
    texts : of `contents`
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
        stale = _stale(place, texts, overwrite)
        _put(place, texts)
        for path in stale:
            path.unlink()
    except OSError as failure:
        raise _engine.os_error(place, "cannot be written", failure) from failure
    files = tuple(place / name for name in texts if name != SHEET)
    return SvgFiles(place, files, place / SHEET, left_out, tuple(stale))


def _stale(place: Path, texts: Mapping[str, bytes], overwrite: bool) -> list[Path]:
    stale = []
    for name in sorted(os.listdir(place)):
        if name != SHEET and not _NAME.fullmatch(name):
            continue
        path = place / name
        ours = path.is_file() and _ours(path)
        if name in texts and not ours:
            raise ArgumentError(
                f"'{path}' is in the way: it was not written by spinekit, or changed since; move it away, or "
                "choose another folder"
            )
        if name not in texts and ours:
            stale.append(path)
    if stale and not overwrite:
        raise ArgumentError(
            f"'{place}' holds {len(stale)} of an earlier run's files that this one does not write, as "
            f"'{stale[0].name}'; choose another folder, or have them removed with overwrite=True"
        )
    return stale


def _ours(path: Path) -> bool:
    data = path.read_bytes()
    if path.name != SHEET:
        return _PIECE.fullmatch(data) is not None
    mark = _MARK.search(data)
    return mark is not None and int(mark[1], 16) == zlib.crc32(data[: mark.start()])


def _put(place: Path, texts: Mapping[str, bytes]) -> None:
    stage = place / f".{os.getpid()}-{threading.get_ident()}{_engine.PART_SUFFIX}"
    stage.mkdir()
    try:
        many = len(texts) > _MANY
        for name, data in texts.items():
            if many:
                (stage / name).write_bytes(data)
            else:
                _engine.write_synced(stage / name, data)
        if many:
            os.sync()
        for name in texts:
            (stage / name).replace(place / name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
