"""Scans made small with their damage marked, to look through many pieces quickly."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError
from spinekit.damage.piece import DamagedPiece
from spinekit.damage.scans import Image, Preview, opened_scan

_LEAST_SIDE = 16
# Neither paper, ink nor the white behind holes; told apart from all by those who see few colours too.
_COLOUR = (216, 27, 96)
_TINT = 0.45
#: Of a number's box, how much may lie on damage.
_MOST_HIDDEN = 0.08
_BOX, _LETTERS = (11, 15, 18), (255, 255, 255)


def preview_of(scan: Image, size: tuple[int, int], side: int, memory_limit: int | str) -> Preview:
    """Return a scan made small, or an ArgumentError where it is not of that (width, height)."""
    try:
        enough = operator.index(side) >= _LEAST_SIDE
    except TypeError:
        enough = False
    if not enough:
        raise ArgumentError(f"side: {side!r}, expected a whole number of pixels, at least {_LEAST_SIDE}")
    opened = opened_scan(scan, memory_limit=memory_limit)
    if (opened.columns, opened.rows) != size:
        raise ArgumentError(
            f"scan: {opened.columns} x {opened.rows} pixels (width x height), but the pieces were found in "
            f"one of {size[0]} x {size[1]}"
        )
    return opened.previewed(side)


def draw(pieces: Sequence[DamagedPiece], preview: Preview) -> NDArray[np.uint8]:
    """Return the picture; see `DamagedPieces.overlay`."""
    from PIL import Image as Pictures  # noqa: PLC0415 - slow to import
    from PIL import ImageDraw  # noqa: PLC0415

    step, picture = preview.step, preview.pixels.copy()
    rows, columns = picture.shape[:2]
    corners = [_corners(piece, step) for piece in pieces]

    inside = Pictures.new("1", (columns, rows))
    within = ImageDraw.Draw(inside)
    for points in corners:
        if len(points) >= 3:
            within.polygon(points, fill=1)
        _border(within, points, 1, 1)
    damaged = np.asarray(inside)
    picture[damaged] = np.rint((1 - _TINT) * picture[damaged] + _TINT * np.array(_COLOUR))

    image = Pictures.fromarray(picture)
    marks = ImageDraw.Draw(image)
    for points in corners:
        _border(marks, points, _COLOUR, max(1, round(max(rows, columns) / 1000)))
    _numbers(marks, pieces, step, damaged)
    return np.asarray(image).copy()


def _corners(piece: DamagedPiece, step: int) -> list[tuple[int, int]]:
    points = np.rint((piece.outline + 0.5) / step - 0.5).astype(int).tolist()
    return [(x, y) for x, y in points]


def _border(on: Any, corners: list[tuple[int, int]], ink: Any, thickness: int) -> None:
    on.line([*corners, corners[0]], fill=ink, width=thickness)
    # Of lines without length nothing is drawn.
    on.point(corners, fill=ink)


def _numbers(on: Any, pieces: Sequence[DamagedPiece], step: int, damaged: NDArray[np.bool_]) -> None:
    from PIL import ImageFont, features  # noqa: PLC0415 - slow to import

    rows, columns = damaged.shape
    letters = max(11, round(max(rows, columns) / 130))
    # Part of Pillow; without FreeType it has but one small size.
    font: Any = ImageFont.load_default(letters if features.check("freetype2") else None)
    left, top, right, bottom = font.getbbox("0123456789")
    digit, height, margin = (right - left) / 10, bottom - top, max(2, letters // 5)
    taken = np.zeros_like(damaged)
    for piece in sorted(pieces, key=lambda piece: -piece.area):
        text = str(piece.number)
        size = round(digit * len(text)) + 2 * margin, round(height) + 2 * margin
        place = _free_place(piece, step, size, damaged, taken)
        if place is None:
            continue
        x, y = place
        taken[y : y + size[1], x : x + size[0]] = True
        on.rectangle((x, y, x + size[0] - 1, y + size[1] - 1), fill=_BOX)
        on.text((x + margin, y + margin - top), text, fill=_LETTERS, font=font)


def _free_place(
    piece: DamagedPiece,
    step: int,
    size: tuple[int, int],
    damaged: NDArray[np.bool_],
    taken: NDArray[np.bool_],
) -> tuple[int, int] | None:
    """Return the upper left corner of a number's box, None where it has no room."""
    last_x, last_y = damaged.shape[1] - size[0], damaged.shape[0] - size[1]
    if last_x < 0 or last_y < 0:
        return None
    whole = size[0] * size[1]
    best, least = None, _MOST_HIDDEN * whole
    for amid, wished_x, wished_y in _places(piece, step, size):
        x, y = min(max(wished_x, 0), last_x), min(max(wished_y, 0), last_y)
        here = slice(y, y + size[1]), slice(x, x + size[0])
        if taken[here].any():
            continue
        hidden = int(damaged[here].sum())
        if amid:
            if hidden == whole:
                return x, y
        elif hidden < least:
            best, least = (x, y), hidden
        if best and not least:
            break
    return best


def _places(piece: DamagedPiece, step: int, size: tuple[int, int]) -> Iterator[tuple[bool, int, int]]:
    """Yield places for a number, the better ones first, and whether they are amid a piece that has room."""
    x, y, width, height = (value / step for value in piece.box)
    if min(width, height) >= 2 * max(size):
        centre_x, centre_y = ((at + 0.5) / step for at in piece.centroid)
        yield True, round(centre_x - size[0] / 2), round(centre_y - size[1] / 2)
    right, left = round(x + width) + 2, round(x) - size[0] - 2
    above, below = round(y) - size[1] - 2, round(y + height) + 2
    level, upright = round(y + height / 2 - size[1] / 2), round(x + width / 2 - size[0] / 2)
    for place in ((right, above), (right, level), (right, below), (upright, above), (upright, below)):
        yield False, *place
    for place in ((left, above), (left, level), (left, below)):
        yield False, *place
