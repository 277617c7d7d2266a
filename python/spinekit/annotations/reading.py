"""What the readers share: names of points and bones, JSON and CSV whose errors say where, pictures' sizes."""

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spinekit import _engine
from spinekit._core import MalformedDataError
from spinekit.annotations.annotation import Points
from spinekit.measurement.landmarks import BONES, CORNERS, VERTEBRAE, Landmarks

_WORDS = {
    "superior": ("superior", "sup", "upper"),
    "inferior": ("inferior", "inf", "lower"),
    "anterior": ("anterior", "ant"),
    "posterior": ("posterior", "post"),
    "centre": ("centre", "center"),
}
_MEANING = {short: word for word, shorts in _WORDS.items() for short in shorts}
_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".dcm")


def known_points() -> str:
    """Return in words how points may be called."""
    return "such as 'L1 superior anterior', 'S1 anterior', 'FH1'"


def bone_of(label: str, names: Mapping[str, str]) -> str | None:
    """Return the mask that a label stands for, None if it is none.

    Parameters
    ----------
    label : of the file
    names : of the user: their label to ours
    """
    wanted = names.get(label, label).strip().casefold()
    if wanted == "s1":
        wanted = "sacrum"
    return next((bone for bone in BONES if bone.casefold() == wanted), None)


def point_of(label: str, names: Mapping[str, str]) -> tuple[str, int] | None:
    """Return the field of `Landmarks` and the place in it that a label stands for, None if there is none.

    Places are those of the flattened field: 4 * vertebra + corner for the vertebrae.
    """
    tokens = re.split(r"[\s_.,/-]+", names.get(label, label).strip().casefold())
    bone, *words = tokens
    meant = {_MEANING.get(word, word) for word in words}
    if bone in ("fh1", "fh2") and meant <= {"centre"}:
        return "heads", int(bone[2]) - 1
    ends = ("anterior", "posterior")
    end = [one for one in ends if one in meant]
    if len(end) != 1 or len(meant) != len(words):
        return None
    sides = meant - {end[0]}
    if bone in ("s1", "sacrum") and sides <= {"superior"}:
        return "sacrum", ends.index(end[0])
    if bone.upper() in VERTEBRAE and len(sides) == 1:
        corner = f"{sides.pop()} {end[0]}"
        if corner in CORNERS:
            return "vertebrae", 4 * VERTEBRAE.index(bone.upper()) + CORNERS.index(corner)
    return None


def point_names() -> dict[str, tuple[str, int]]:
    """Return our name of every point, and its field and place as `point_of` gives them."""
    found = {
        f"{vertebra} {corner}": ("vertebrae", 4 * v + c)
        for v, vertebra in enumerate(VERTEBRAE)
        for c, corner in enumerate(CORNERS)
    }
    found |= {f"S1 superior {end}": ("sacrum", k) for k, end in enumerate(("anterior", "posterior"))}
    return found | {f"FH{k + 1}": ("heads", k) for k in range(2)}


def set_point(landmarks: Landmarks, place: tuple[str, int], point: Points, where: str) -> None:
    """Set a point that is not known yet; the field of `landmarks` is changed in place.

    Raises
    ------
    MalformedDataError
        If it is known already.
    """
    points = getattr(landmarks, place[0]).reshape(-1, 2)
    if not np.isnan(points[place[1]]).any():
        raise MalformedDataError(f"{where}: this point is there twice")
    points[place[1]] = point


def read_json(path: Path) -> dict[str, Any]:
    """Return a file's JSON object."""
    text = _text_of(path, "JSON")
    try:
        found = json.loads(text)
    except json.JSONDecodeError as failure:
        raise MalformedDataError(
            f"'{path.name}', line {failure.lineno}, column {failure.colno}: no JSON: {failure.msg}"
        ) from None
    except RecursionError:
        raise MalformedDataError(f"'{path.name}': nested too deeply") from None
    except ValueError as failure:  # a whole number of thousands of digits
        raise MalformedDataError(f"'{path.name}': no JSON: {failure}") from None
    if not isinstance(found, dict):
        raise MalformedDataError(f"'{path.name}': {type(found).__name__}, expected a JSON object")
    return found


def read_numbers(path: Path, columns: tuple[int, ...], what: str) -> list[list[float]]:
    """Return a CSV file without header as rows of finite numbers; empty lines are skipped.

    Parameters
    ----------
    path : of the file
    columns : how many a row may have
    what : a row should be, for messages
    """
    rows = []
    expected = " or ".join(map(str, columns))
    for number, cells in read_cells(path):
        while len(cells) > max(columns) and not cells[-1].strip():
            cells.pop()
        if len(cells) not in columns:
            raise MalformedDataError(
                f"'{path.name}', row {number}: {len(cells)} values, expected {expected}: {what}"
            )
        values = []
        for k, cell in enumerate(cells):
            try:
                value = float(cell)
            except ValueError:
                value = math.nan
            if not math.isfinite(value) or "_" in cell:  # Python reads 1_0 as a number
                raise MalformedDataError(
                    f"'{path.name}', row {number}, value {k + 1}: {cell.strip()!r}, expected a number: {what}"
                )
            values.append(value)
        rows.append(values)
    return rows


def read_cells(path: Path) -> list[tuple[int, list[str]]]:
    """Return the rows of a CSV file with their line numbers, without empty ones."""
    reader = csv.reader(io.StringIO(_text_of(path, "CSV"), newline=""))
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as failure:
        raise MalformedDataError(f"'{path.name}': no CSV: {failure}") from None


def _text_of(path: Path, expected: str) -> str:
    try:
        return _engine.read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise MalformedDataError(
            f"'{path.name}': not UTF-8 at byte {failure.start}, expected {expected}"
        ) from None


def image_beside(path: Path) -> Path | None:
    """Return the picture that has a file's name but for the ending, None if there is none."""
    beside = [p for p in path.parent.glob("*") if p.stem == path.stem and p.suffix.lower() in _SUFFIXES]
    return min(beside, key=lambda p: (_SUFFIXES.index(p.suffix.lower()), p.name), default=None)


def shape_of(image: Path | None) -> tuple[int, int] | None:
    """Return rows and columns from a picture's header, None where there is no picture to ask."""
    if image is None or not image.is_file() or image.suffix.lower() == ".dcm":
        return None
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - slow to import

    try:
        with Image.open(image) as opened:
            return opened.height, opened.width
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
