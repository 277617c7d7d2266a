"""Outlines of masks: marching squares, and fewer points where fewer will do."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit.annotations.annotation import Points

# Sides of a cell of four pixels (a b / d c): top 0, right 1, bottom 2, left 3. By which of a, b, c, d (bits 0
# to 3) are inside: from side to side, the inside on the right hand. Of the two cells with opposite corners
# inside, the first entry has these apart, that in _JOINED together.
_SEGMENTS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((0, 3),),
    2: ((1, 0),),
    3: ((1, 3),),
    4: ((2, 1),),
    5: ((0, 3), (2, 1)),
    6: ((2, 0),),
    7: ((2, 3),),
    8: ((3, 2),),
    9: ((0, 2),),
    10: ((1, 0), (3, 2)),
    11: ((1, 2),),
    12: ((3, 1),),
    13: ((0, 1),),
    14: ((3, 0),),
}
_JOINED = {5: ((0, 1), (2, 3)), 10: ((3, 0), (1, 2))}


def outlines(mask: NDArray[Any], level: float = 0.5) -> list[Points]:
    """Return the closed lines on which a mask has a value, interpolated between pixel centres.

    Parameters
    ----------
    mask : shape (rows, columns), bool or numbers; 0 beyond its edges
    level : inside is what is greater

    Returns
    -------
    outlines : of shape (n, 2), (x, y), pixel centres at integers; first point not repeated. Outer ones
        run clockwise as seen on a screen (their `area` is positive), holes the other way.
    """
    rows, columns = (np.flatnonzero((mask > level).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return []
    # Of the frame of what is inside, with the pixels beside it.
    top, left = max(0, int(rows[0]) - 1), max(0, int(columns[0]) - 1)
    part = mask[top : int(rows[-1]) + 2, left : int(columns[-1]) + 2]
    corner = np.array([left, top], np.float64)
    return [chain + corner for chain in _chains(np.pad(part.astype(np.float64), 1), level)]


def _chains(values: NDArray[np.float64], level: float) -> list[Points]:
    inside = values > level
    code = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, 1:] + 8 * inside[1:, :-1]
    rows, columns = np.nonzero((code > 0) & (code < 15))
    following: dict[tuple[int, int, int], tuple[int, int, int]] = {}
    codes = code[rows, columns]
    for row, column, which in zip(rows.tolist(), columns.tolist(), codes.tolist(), strict=True):
        segments = _SEGMENTS[which]
        if which in _JOINED and values[row : row + 2, column : column + 2].mean() > level:
            segments = _JOINED[which]
        # An edge between pixels: its upper left pixel, and whether it runs across (0) or down (1).
        edges = ((row, column, 0), (row, column + 1, 1), (row + 1, column, 0), (row, column, 1))
        for start, end in segments:
            following[edges[start]] = edges[end]
    found = []
    while following:
        first, current = following.popitem()
        chain = [first]
        while current != first:
            chain.append(current)
            current = following.pop(current)
        found.append(_crossings(values, np.array(chain), level))
    return found


def _crossings(values: NDArray[np.float64], edges: NDArray[np.int64], level: float) -> Points:
    row, column, down = edges.T
    here, there = values[row, column], values[row + down, column + 1 - down]
    share = (level - here) / (there - here)
    # Minus one: the margin that was put around.
    return np.stack([column - 1 + share * (1 - down), row - 1 + share * down], axis=1)


def area(outline: Points) -> float:
    """Return what an outline encloses, > 0 if it runs clockwise on a screen."""
    x, y = outline.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def simplified(outline: Points, tolerance: float) -> Points:
    """Return an outline of fewer of its points, none of the others farther than `tolerance` from it.

    References
    ----------
    Douglas and Peucker, Algorithms for the reduction of the number of points required to represent a
    digitized line or its caricature, 1973, doi:10.3138/FM57-6770-U75U-7727.
    """
    if len(outline) < 4:
        return outline
    start = 0
    far = int(np.argmax(((outline - outline[start]) ** 2).sum(axis=1)))
    closed = np.concatenate([outline, outline[:1]])
    keep = {start, far}
    waiting = [(start, far), (far, len(outline))]
    while waiting:
        a, b = waiting.pop()
        if b - a < 2:
            continue
        between = closed[a + 1 : b]
        way = closed[b] - closed[a]
        length = float(np.hypot(*way))
        offset = between - closed[a]
        if length:
            away = np.abs(way[0] * offset[:, 1] - way[1] * offset[:, 0]) / length
        else:
            away = np.hypot(offset[:, 0], offset[:, 1])
        k = int(np.argmax(away))
        if away[k] > tolerance:
            middle = a + 1 + k
            keep.add(middle)
            waiting += [(a, middle), (middle, b)]
    return outline[sorted(keep)]
