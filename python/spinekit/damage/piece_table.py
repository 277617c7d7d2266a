"""Pieces by rows: a table of numbers, CSV, and what is shown to people."""

import csv
import html
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinekit.damage.piece import DamagedPiece, area_text
from spinekit.damage.svg import drawing

if TYPE_CHECKING:
    from spinekit.damage.pieces import DamagedPieces

_SHOWN = 20
_COLUMNS = [
    ("number", np.int64),
    ("area_px", np.float64),
    ("area_mm2", np.float64),
    ("pixels", np.int64),
    ("pixels_mm2", np.float64),
    ("centroid_x", np.float64),
    ("centroid_y", np.float64),
    ("x", np.int64),
    ("y", np.int64),
    ("width", np.int64),
    ("height", np.int64),
]
_LENGTHS = ("centroid_x", "centroid_y", "x", "y", "width", "height")


def table(pieces: Sequence[DamagedPiece], mm_per_pixel: tuple[float, float] | None) -> NDArray[Any]:
    """Return a record for each piece; see `DamagedPieces.table`."""
    unknown = math.nan
    rows = [
        (
            piece.number,
            piece.area,
            unknown if piece.area_mm2 is None else piece.area_mm2,
            -1 if piece.pixels is None else piece.pixels,
            unknown if piece.pixels_mm2 is None else piece.pixels_mm2,
            *piece.centroid,
            *piece.box,
        )
        for piece in pieces
    ]
    if mm_per_pixel is None:
        return np.array(rows, _COLUMNS)
    made = np.zeros(len(rows), [*_COLUMNS, *((f"{name}_mm", np.float64) for name in _LENGTHS)])
    plain = np.array(rows, _COLUMNS)
    for name, _ in _COLUMNS:
        made[name] = plain[name]
    for k, name in enumerate(_LENGTHS):
        # Centroids count from the centre of the first pixel, boxes from its corner.
        corner = 0.5 if name.startswith("centroid") else 0.0
        made[f"{name}_mm"] = (plain[name] + corner) * mm_per_pixel[k % 2]
    return made


def csv_text(rows: NDArray[Any]) -> str:
    """Return what `table` gave as CSV; what is unknown stays empty."""
    names = rows.dtype.names or ()
    pixels = names.index("pixels")
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows.tolist():
        cells: list[Any] = ["" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row]
        if cells[pixels] < 0:
            cells[pixels] = ""
        writer.writerow(cells)
    return text.getvalue()


def html_table(pieces: Sequence[DamagedPiece]) -> str:
    """Return the first pieces as a table of a page, each with its outline."""
    known = bool(pieces) and pieces[0].area_mm2 is not None
    titles = [
        "piece",
        "",
        "pixels",
        "area, px",
        *(["area, mm²"] if known else []),
        "centroid",
        "width x height",
    ]
    rows = [
        [
            f"{piece.number}",
            drawing(piece.outline, 40),
            "" if piece.pixels is None else f"{piece.pixels:,}",
            f"{piece.area:,.1f}",
            *([f"{piece.area_mm2:,.4g}"] if known else []),
            "{:.1f}, {:.1f}".format(*piece.centroid),
            "{} x {}".format(*piece.box[2:]),
        ]
        for piece in pieces[:_SHOWN]
    ]
    top = "".join(f"<th style='text-align:right'>{html.escape(title)}</th>" for title in titles)
    lines = (
        "".join(f"<td style='text-align:right;padding:2px 8px'>{cell}</td>" for cell in row) for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    left = len(pieces) - _SHOWN
    more = f"<p>and {left:,} more</p>" if left > 0 else ""
    return f"<table><tr>{top}</tr>{body}</table>{more}"


def summary(pieces: "DamagedPieces") -> list[str]:
    """Return what there is to say of all pieces, in lines for people."""
    name = "a scan" if pieces.source is None else f"'{pieces.source}'"
    count = f"{len(pieces):,} damaged piece{'' if len(pieces) == 1 else 's'}"
    lines = [f"{count} in {name}, {pieces.width} x {pieces.height} pixels"]
    if len(pieces):
        if pieces.pixels is not None:
            lines.append(f"damaged pixels {pieces.pixels:,}")
        largest = max(pieces, key=lambda piece: piece.area)
        lines.append(
            f"area {area_text(pieces.area, pieces.area_mm2)}; the largest is piece {largest.number}, "
            f"{area_text(largest.area, largest.area_mm2)}"
        )
    if pieces.mm_per_pixel is not None:
        x, y = pieces.mm_per_pixel
        lines.append(f"scale {x:.6g} mm a pixel" if x == y else f"scale {x:.6g} x {y:.6g} mm a pixel")
    return lines + [f"note: {note}" for note in pieces.notes]
