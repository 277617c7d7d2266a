"""What a film's annotation holds, whatever file it came from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError, ResourceError
from spinekit.measurement.landmarks import BONES, Landmarks

Points = NDArray[np.float64]

#: Lines across a pixel on which polygons become masks.
_LINES = 16
#: Numbers that are worked on at once, for polygons of any size.
_MOST_STEPS = 1 << 22
#: Of an annotation's picture, in pixels: what DICOM's Rows and Columns can say, and more than any film has.
_MOST_SIDE, _MOST_PIXELS = 65535, 1 << 26


@dataclass(eq=False, repr=False)
class Annotation:
    """One film as somebody annotated it.

    Points are ``(x, y)`` in pixels of the film, pixel centres at integers.

    Attributes
    ----------
    landmarks : what is known of corners, endplate and heads; NaN elsewhere
    polygons : by bone, outlines of shape (n, 2); the union of several is the bone
    holes : by bone, outlines of what is not bone within it
    image : path of the picture, or None where no file is named or found
    shape : rows and columns of the picture, or None where nobody says
    notes : further things that the file knows, by name
    source : name of the file
    """

    landmarks: Landmarks = field(default_factory=Landmarks)
    polygons: dict[str, list[Points]] = field(default_factory=dict)
    holes: dict[str, list[Points]] = field(default_factory=dict)
    image: Path | None = None
    shape: tuple[int, int] | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    source: str = ""

    def masks(self, shape: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Return the polygons as masks whose values are the covered share of each pixel.

        Parameters
        ----------
        shape : rows and columns, None for those of the picture

        Returns
        -------
        masks : shape (8, rows, columns), float32, in the order of `spinekit.measurement.BONES`; all 0 for a
            bone without polygon

        Raises
        ------
        ArgumentError
            If no shape is given and that of the picture is not known.
        ResourceError
            If the shape is larger than any film: 65535 rows or columns, or 2^26 pixels.

        Notes
        -----
        Coverage is measured on 16 lines across each pixel: outlines lie within 0.03 pixels.
        """
        rows_columns = shape if shape is not None else self.shape
        if rows_columns is None:
            raise ArgumentError(f"'{self.source}' does not say how large its picture is: give masks(shape=)")
        rows, columns = rows_columns
        if not (rows > 0 and columns > 0):
            raise ArgumentError(f"shape: {rows_columns}, expected (rows, columns), both > 0")
        if max(rows, columns) > _MOST_SIDE or rows * columns > _MOST_PIXELS:
            raise ResourceError(
                f"'{self.source}': a picture of {rows} x {columns}, expected at most {_MOST_SIDE} a side and "
                "2^26 pixels"
            )
        masks = np.zeros((len(BONES), rows, columns), np.float32)
        for name, outlines in self.polygons.items():
            mask = masks[BONES.index(name)]
            for outline in outlines:
                _paint(mask, outline, inside=True)
            for outline in self.holes.get(name, ()):
                _paint(mask, outline, inside=False)
        return masks

    def __repr__(self) -> str:
        known = self.landmarks.vertebrae, self.landmarks.sacrum, self.landmarks.heads
        points = sum(int(np.count_nonzero(~np.isnan(one).any(-1))) for one in known)
        outlines = ", ".join(name for name in BONES if name in self.polygons) or "none"
        size = f"; {self.shape[0]} x {self.shape[1]}" if self.shape is not None else ""
        return f"<Annotation: {points} key points, outlines: {outlines}{size}; {self.source or 'no source'}>"


def _paint(mask: NDArray[np.float32], outline: Points, *, inside: bool) -> None:
    """Set what an outline covers, or take it away; in place."""
    rows, columns = mask.shape
    low = np.clip(np.floor(outline.min(axis=0)), 0, (columns, rows)).astype(np.int64)
    high = np.clip(np.ceil(outline.max(axis=0)) + 1, 0, (columns, rows)).astype(np.int64)
    width, height = (high - low).tolist()
    if width <= 0 or height <= 0:
        return
    part = mask[low[1] : high[1], low[0] : high[0]]
    # A line across may meet every side of the outline.
    at_once = max(1, _MOST_STEPS // (_LINES * max(width + 1, len(outline))))
    for top in range(0, height, at_once):
        band = part[top : top + at_once]
        covered = _coverage(outline - low - np.array([0, top]), width, len(band))
        if inside:
            np.maximum(band, covered, out=band)
        else:
            np.minimum(band, 1 - covered, out=band)


def _coverage(outline: Points, width: int, height: int) -> NDArray[np.float32]:
    """Return the share of each pixel within an outline; where it crosses itself, within any loop of it."""
    # From pixel centres at integers to corners at integers; lines across the middle of every sub-row.
    start = outline + 0.5
    end = np.roll(start, -1, axis=0)
    first, last = (np.ceil(np.clip(p[:, 1], 0, height) * _LINES - 0.5).astype(np.int64) for p in (start, end))
    count = np.abs(last - first)
    edge = np.repeat(np.arange(len(start)), count)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + np.minimum(first, last)[edge]
    (x0, y0), (x1, y1) = start[edge].T, end[edge].T
    x = np.clip(x0 + ((line + 0.5) / _LINES - y0) / (y1 - y0) * (x1 - x0), 0, width)
    # To the right of a crossing the winding is one more or less: in its own pixel for the rest of that.
    column = np.minimum(x.astype(np.int64), width - 1)
    sign = np.where(first < last, 1.0, -1.0)[edge]
    rest = column + 1 - x
    steps = np.zeros(height * _LINES * (width + 1))
    place = line * (width + 1) + column
    np.add.at(steps, place, sign * rest)
    np.add.at(steps, place + 1, sign * (1 - rest))
    winding = np.cumsum(steps.reshape(-1, width + 1)[:, :width], axis=1)
    within = np.minimum(np.abs(winding), 1).reshape(height, _LINES, width)
    covered: NDArray[np.float32] = within.mean(axis=1).astype(np.float32)
    return covered
