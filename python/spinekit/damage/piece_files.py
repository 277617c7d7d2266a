"""Pieces as JSON; what is read is checked, and outlines that were changed by hand are measured again."""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from spinekit import _core
from spinekit._core import MalformedDataError
from spinekit.damage import checks
from spinekit.damage.piece import DamagedPiece
from spinekit.damage.svg import Points
from spinekit.report import plain_values

FORMAT = "spinekit damaged pieces"
VERSION = 1

_FIELDS = {"format", "version", "width", "height", "pieces"}
_OPTIONAL = {"spinekit", "source", "mm_per_pixel", "boundary", "settings", "notes", "seconds"}
_PIECE_FIELDS = {"number", "outline"}
_MEASURED = {"area_px", "pixels", "centroid", "box", "outline_crc32"}
_PIECE_OPTIONAL = _MEASURED | {"area_mm2", "pixels_mm2", "contour"}


def _no_points() -> Points:
    return np.zeros((0, 2), np.int32)


@dataclass(frozen=True)
class StoredPiece:
    """A piece of a file, with what the engine's pieces have."""

    number: int
    area: float
    pixels: int | None
    centroid: tuple[float, float]
    box: tuple[int, int, int, int]
    outline: Points
    contour: Points = field(default_factory=_no_points)


def written(head: Mapping[str, Any], pieces: Iterable[DamagedPiece]) -> dict[str, Any]:
    """Return pieces as JSON can hold them."""
    top = {"format": FORMAT, "version": VERSION, "spinekit": _core.__version__}
    plain: dict[str, Any] = plain_values(dict(head))
    return top | plain | {"pieces": [_written(piece) for piece in pieces]}


def _written(piece: DamagedPiece) -> dict[str, Any]:
    found = piece.to_dict() | {"outline_crc32": _checksum(piece.outline)}
    contour = piece.contour
    return found | {"contour": contour.tolist()} if len(contour) else found


def json_text(found: Mapping[str, Any]) -> str:
    """Return what `written` gave as text, a line for each piece so that people find their way."""
    head = {key: value for key, value in found.items() if key != "pieces"}
    lines = [json.dumps(piece, ensure_ascii=False) for piece in found["pieces"]]
    top = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{top},\n "pieces": [\n' + ",\n".join(lines) + "\n ]\n}\n"


def read(found: Any) -> dict[str, Any]:
    """Return the arguments of `DamagedPieces` from what `written` gave; messages begin with the key."""
    checks.expect_keys(found, _FIELDS, "", _OPTIONAL)
    checks.expect_format(found, FORMAT, VERSION)
    width, height = (checks.whole(found[key], key, 1) for key in ("width", "height"))
    settings, notes = found.get("settings", {}), found.get("notes", [])
    if not isinstance(settings, Mapping):
        raise MalformedDataError(f"settings: {checks.short(settings)}, expected an object")
    if not isinstance(notes, list):
        raise MalformedDataError(f"notes: {checks.short(notes)}, expected a list of texts")
    if not isinstance(found["pieces"], list):
        raise MalformedDataError(f"pieces: {checks.short(found['pieces'])}, expected a list")
    pieces: dict[int, StoredPiece] = {}
    changed: list[int] = []
    for k, entry in enumerate(found["pieces"]):
        where = f"pieces[{k}]"
        piece, as_found = _piece(entry, where, (width, height))
        if piece.number in pieces:
            raise MalformedDataError(f"{where}.number: {piece.number} is there twice")
        pieces[piece.number] = piece
        if not as_found:
            changed.append(piece.number)
    notes = [checks.text(note, f"notes[{k}]") for k, note in enumerate(notes)]
    return {
        "found": [pieces[number] for number in sorted(pieces)],
        "width": width,
        "height": height,
        "source": None if found.get("source") is None else checks.text(found["source"], "source"),
        "mm_per_pixel": _optional_scale(found.get("mm_per_pixel")),
        "boundary": None if found.get("boundary") is None else _box(found["boundary"], "boundary"),
        "settings": dict(settings),
        "notes": notes + [_changed_note(number) for number in sorted(changed)],
        "seconds": checks.number(found.get("seconds", 0.0), "seconds"),
    }


def _piece(entry: Any, where: str, size: tuple[int, int]) -> tuple[StoredPiece, bool]:
    """Return a piece, and whether its values are those that it was found with."""
    checks.expect_keys(entry, _PIECE_FIELDS, where, _PIECE_OPTIONAL)
    number = checks.whole(entry["number"], f"{where}.number", 1)
    outline = _points(entry["outline"], f"{where}.outline", size)
    if not set(entry) >= _MEASURED or entry["outline_crc32"] != _checksum(outline):
        return _measured(number, outline), False
    pixels = entry["pixels"]
    x, y = checks.numbers(entry["centroid"], f"{where}.centroid", 2)
    piece = StoredPiece(
        number=number,
        area=checks.number(entry["area_px"], f"{where}.area_px"),
        pixels=None if pixels is None else checks.whole(pixels, f"{where}.pixels", 1),
        centroid=(x, y),
        box=_box(entry["box"], f"{where}.box"),
        outline=outline,
        contour=_points(entry["contour"], f"{where}.contour", size) if "contour" in entry else _no_points(),
    )
    return piece, True


def _changed_note(number: int) -> str:
    return (
        f"piece {number}: its outline was changed or added by hand; area, centroid and box are the "
        "outline's, pixels are unknown"
    )


def _measured(number: int, outline: Points) -> StoredPiece:
    low, high = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    box = (*low, high[0] - low[0] + 1, high[1] - low[1] + 1)
    # From the first point, so that whole numbers stay small enough to be exact.
    x, y = (outline.astype(np.int64) - outline[0]).T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    cross = x * next_y - next_x * y
    twice = int(cross.sum())
    if twice:
        away_x, away_y = (float((sums * cross).sum() / (3 * twice)) for sums in (x + next_x, y + next_y))
        centroid = int(outline[0, 0]) + away_x, int(outline[0, 1]) + away_y
    else:
        centroid = box[0] + (box[2] - 1) / 2, box[1] + (box[3] - 1) / 2
    return StoredPiece(number, abs(twice) / 2, None, centroid, box, outline)


def _points(found: Any, where: str, size: tuple[int, int]) -> Points:
    wanted = f"expected points [x, y] of whole numbers within the scan of {size[0]} x {size[1]} pixels"
    points = checks.items(found, where)
    if not all(isinstance(point, list) and len(point) == 2 for point in points) or not (
        set(map(type, chain.from_iterable(points))) <= {int}
    ):
        at = next(k for k, point in enumerate(points) if not _is_point(point))
        raise MalformedDataError(f"{where}[{at}]: {checks.short(points[at])}, {wanted}")
    for at, (x, y) in enumerate(points):
        if not (0 <= x < size[0] and 0 <= y < size[1]):
            raise MalformedDataError(f"{where}[{at}]: {checks.short(points[at])}, {wanted}")
    return np.array(points, np.int32)


def _is_point(found: Any) -> bool:
    return isinstance(found, list) and len(found) == 2 and all(type(value) is int for value in found)


def _box(found: Any, where: str) -> tuple[int, int, int, int]:
    values = checks.items(found, where, 4)
    x, y, width, height = (checks.whole(v, f"{where}[{k}]", k // 2) for k, v in enumerate(values))
    return x, y, width, height


def _optional_scale(found: Any) -> tuple[float, float] | None:
    if found is None:
        return None
    x, y = (
        checks.positive(v, f"mm_per_pixel[{k}]") for k, v in enumerate(checks.items(found, "mm_per_pixel", 2))
    )
    return x, y


def _checksum(outline: Points) -> int:
    return zlib.crc32(np.ascontiguousarray(outline, "<i4").tobytes())
