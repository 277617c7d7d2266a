"""Outlines as SVG: a file for each piece, and a sheet of all at their places."""

import html
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.int32]

#: A thousandth of an inch, what drivers of laser cutters take for a cut; in mm, and in CSS pixels.
_HAIRLINE = {"mm": "0.0254", "px": "0.096"}

# Hairlines could not be seen on screens. Other programs go by the attributes.
_STYLE = (
    "<style>@media screen{#pieces path,#boundary rect"
    "{vector-effect:non-scaling-stroke;stroke-width:1px}}</style>"
)


def path_of(outline: Points) -> str:
    """Return the path of an outline, shape (n, 2), with four decimals; empty for fewer than three points."""
    if len(outline) < 3:
        return ""
    points = " L ".join(["%d.0000,%d.0000"] * len(outline))
    return f"M {points % tuple(outline.ravel().tolist())} Z"


def piece_svg(outline: Points, mm_per_pixel: tuple[float, float] | None) -> str:
    """Return one piece's file, the outline moved to the origin; empty for fewer than three points.

    Parameters
    ----------
    outline : shape (n, 2), pixels of the scan
    mm_per_pixel : (x, y); None writes it in pixels

    Notes
    -----
    The box is that of the points, without half a pixel around them.
    """
    path = path_of(outline)
    if not path:
        return ""
    (left, top), (right, bottom) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    sx, sy = mm_per_pixel or (1, 1)
    unit = "mm" if mm_per_pixel else "px"
    width, height = (right - left) * sx, (bottom - top) * sy
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.4f}{unit}" height="{height:.4f}{unit}" '
        f'viewBox="0 0 {width:.4f} {height:.4f}">'
        f'<path transform="translate({-left * sx:.4f},{-top * sy:.4f}) scale({sx:.6g},{sy:.6g})" '
        f'd="{path}" fill="none" stroke="black"/></svg>\n'
    )


def text_size(width: float, height: float, count: int) -> float:
    """Return the size of numbers on a sheet, in its unit: smaller where there are many pieces."""
    longer = max(width, height)
    share = 0.35 * math.sqrt(width * height / max(1, count))
    return max(longer / 1000, min(longer / 60, share))


def number_size(letters: float, width: float, height: float) -> float:
    """Return the size of one piece's number: smaller where it would hide the piece, yet not by much."""
    return max(letters / 2, min(letters, 0.6 * min(width, height)))


def sheet_svg(
    pieces: Iterable[Any],
    size: tuple[int, int],
    mm_per_pixel: tuple[float, float] | None,
    boundary: tuple[int, int, int, int] | None,
    title: str,
) -> str:
    """Return all outlines at their places, with their numbers.

    Parameters
    ----------
    pieces : of `DamagedPiece`, all with three points or more
    size : (width, height) of the scan, pixels
    mm_per_pixel : (x, y); None writes it in pixels
    boundary : (x, y, width, height) of the artwork, pixels
    title : of the sheet

    Notes
    -----
    The origin is the scan's corner, so that the centre of its first pixel is at half a pixel.
    """
    sx, sy = mm_per_pixel or (1.0, 1.0)
    unit = "mm" if mm_per_pixel else "px"
    width, height = size[0] * sx, size[1] * sy
    pieces = list(pieces)
    digits = "%.4f,%.4f" if mm_per_pixel else "%.1f,%.1f"
    letters = text_size(width, height, len(pieces))
    outlines, numbers = [], []
    for piece in pieces:
        points = (piece.outline + 0.5) * (sx, sy)
        path = " L ".join([digits] * len(points)) % tuple(points.ravel().tolist())
        number = piece.number
        area = f"{piece.area:.1f} px" + ("" if piece.area_mm2 is None else f", {piece.area_mm2:.4g} mm²")
        outlines.append(
            f'<path id="piece-{number}" d="M {path} Z"><title>piece {number}: {area}</title></path>'
        )
        x, y = (np.array(piece.centroid) + 0.5) * (sx, sy)
        high = number_size(letters, piece.box[2] * sx, piece.box[3] * sy)
        numbers.append(f'<text x="{x:.4f}" y="{y:.4f}" dy=".35em" font-size="{high:.4f}">{number}</text>')
    dash = max(width, height) / 200
    frames = [_rectangle("scan", (0, 0, *size), sx, sy)]
    if boundary is not None:
        frames.append(_rectangle("artwork", boundary, sx, sy))
    thin = f'fill="none" stroke-width="{_HAIRLINE[unit]}"'
    words = 'fill="#0a50c8" font-family="sans-serif" text-anchor="middle"'
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" '
            'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
            f'width="{width:.4f}{unit}" height="{height:.4f}{unit}" viewBox="0 0 {width:.4f} {height:.4f}">',
            f"<title>{xml_text(title)}</title>",
            _STYLE,
            _layer("boundary", "Boundary", f'{thin} stroke="#808080" stroke-dasharray="{dash:.4f}"', frames),
            _layer("pieces", "Pieces", f'{thin} stroke="black"', outlines),
            _layer("numbers", "Numbers", words, numbers),
            "</svg>\n",
        ]
    )


def drawing(outline: Points, side: int) -> str:
    """Return an outline as a small picture within a page, at most `side` pixels wide and high."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    width, height = (high - low + 2).tolist()
    (x, y), share = (low - 1).tolist(), side / max(width, height)
    points = " L ".join(["%d %d"] * len(outline)) % tuple(outline.ravel().tolist())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * share:.1f}" height="{height * share:.1f}" '
        f'viewBox="{x} {y} {width} {height}"><path d="M {points} Z" fill="#d81b60" fill-opacity=".35" '
        'stroke="#d81b60" stroke-linejoin="round" stroke-linecap="round" '
        'vector-effect="non-scaling-stroke"/></svg>'
    )


def xml_text(text: str) -> str:
    """Return a text as XML can hold it: what it cannot becomes a question mark."""
    return html.escape("".join(c if c.isprintable() else "?" for c in text))


def _rectangle(name: str, box: tuple[int, int, int, int], sx: float, sy: float) -> str:
    x, y, width, height = box
    return (
        f'<rect id="{name}" x="{x * sx:.4f}" y="{y * sy:.4f}" '
        f'width="{width * sx:.4f}" height="{height * sy:.4f}"/>'
    )


def _layer(name: str, label: str, attributes: str, lines: list[str]) -> str:
    head = f'<g id="{name}" inkscape:groupmode="layer" inkscape:label="{label}" {attributes}>'
    return "\n".join([head, *lines, "</g>"])
