"""A scan of torn paper whose holes are known, pixel by pixel."""

import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from spinekit.damage.scans import Box

#: Of the scanner's white around the paper, pixels.
RIM = 160
#: Yellowed paper, ink, a seal, and the scanner's lid; RGB.
_PAPER, _INK, _SEAL, _LID = (203, 178, 132), (62, 54, 48), (168, 52, 40), 244
#: How far the soft edge of a hole reaches to either side, pixels.
_SOFT = 1
#: Between holes, and of them from the paper's edge, where boxes lie; pixels.
_GAP, _CLEAR = 14, 90
_SEAL_SIDE = 210
_TRIES = 200

_Shape = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class TornPaper:
    """What was scanned, and what is missing of it.

    Attributes
    ----------
    pixels : shape (rows, columns, 3), uint8, RGB
    holes : shape (rows, columns), uint8: the number of the hole that a pixel lies in, from 1; else 0
    count : of holes
    sheet : box of the paper
    background, foreground : boxes as people would mark them; the last one on the background takes in a
        little of its soft edge
    """

    pixels: NDArray[np.uint8]
    holes: NDArray[np.uint8]
    count: int
    sheet: Box
    background: list[Box]
    foreground: list[Box]


def torn_paper(rows: int, columns: int, holes: int, seed: int) -> TornPaper:
    """Scan paper with ink on it, holes of many shapes in it, and tears at its edge.

    Parameters
    ----------
    rows, columns : at least 1200
    holes : 3 to 255, the first three of them tears; those that find no room are left out
    seed : of everything
    """
    rng = np.random.default_rng(seed)
    size = columns, rows
    missing = Image.new("L", size)
    seal = columns - RIM - _CLEAR - _SEAL_SIDE, rows - RIM - _CLEAR - _SEAL_SIDE
    count = _draw_holes(missing, holes, seal, rng)
    numbers = np.asarray(missing)
    beyond = missing.point([0] + [255] * 255)
    _frame(beyond)

    grain = sum(rng.integers(0, 13, (rows, columns), np.uint8) for _ in range(2))
    tones = Image.fromarray(rng.integers(80, 150, (7, 9), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    tone = Image.fromarray(np.asarray(tones) + grain)
    picture = Image.merge("RGB", [tone.point([_shaded(level, v) for v in range(256)]) for level in _PAPER])
    picture.paste(_INK, mask=_softened(_written(size, rng)))
    picture.paste(_SEAL, (*seal, seal[0] + _SEAL_SIDE, seal[1] + _SEAL_SIDE))
    lid = Image.fromarray(np.uint8(_LID) + grain // 4)
    picture.paste(Image.merge("RGB", [lid] * 3), mask=_softened(beyond))
    pixels = np.asarray(picture) + rng.integers(0, 5, (rows, columns, 3), np.uint8)
    width, height = columns - 2 * RIM, rows - 2 * RIM
    over = RIM + _SOFT
    return TornPaper(
        pixels,
        numbers,
        count,
        (RIM, RIM, width, height),
        [(20, RIM, 100, height // 2), (over - 60, RIM + height // 3, 60, height // 3)],
        [
            (RIM + width // 8, RIM + 20, width // 2, _CLEAR - 30),
            (RIM + 20, RIM + height // 4, _CLEAR - 30, height // 2),
            (seal[0] + 20, seal[1] + 20, _SEAL_SIDE - 40, _SEAL_SIDE - 40),
        ],
    )


def _shaded(level: int, tone: int) -> int:
    return round(level + 0.6 * (tone - 127))


def _softened(mask: Image.Image) -> Image.Image:
    return mask.filter(ImageFilter.BoxBlur(_SOFT))


def _frame(mask: Image.Image) -> None:
    columns, rows = mask.size
    inside = mask.crop((RIM, RIM, columns - RIM, rows - RIM))
    mask.paste(255, (0, 0, columns, rows))
    mask.paste(inside, (RIM, RIM))


def _written(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw columns of strokes, as of a brush."""
    ink = Image.new("L", size)
    pen = ImageDraw.Draw(ink)
    columns, rows = size
    lines = range(RIM + _CLEAR + 60, rows - RIM - _CLEAR - 160, 185)
    for x, y in itertools.product(range(columns - 620, RIM + _CLEAR + 60, -500), lines):
        for _ in range(4):
            ends = np.add((x, y), rng.uniform(0, 130, (2, 2)))
            pen.line(_corners(ends), fill=255, width=int(rng.integers(12, 26)))
    return ink


# ---- holes


def _draw_holes(missing: Image.Image, wished: int, seal: tuple[int, int], rng: np.random.Generator) -> int:
    """Draw holes with their numbers, none of which touches another; return how many found room."""
    columns, rows = missing.size
    pen = ImageDraw.Draw(missing)
    half = _SEAL_SIDE / 2
    taken = [(seal[0] + half, seal[1] + half, 1.5 * half)]
    number = 0
    right, bottom = columns - RIM - 1, rows - RIM - 1
    for x, y, turn in (
        (right, 0.3 * rows, np.pi),
        (right, 0.65 * rows, np.pi),
        (0.3 * columns, bottom, -np.pi / 2),
    ):
        number += 1
        deep = rng.uniform(100, 220)
        _fill(pen, np.add((x, y), _turned(_tear(deep, rng), turn)), number)
        taken.append((x, y, deep))
    # Heavy-tailed, as damage is; the large ones first, while there is room.
    radii = np.minimum(0.1 * rows, 26 + 24 * rng.pareto(1.0, wished - number))
    for radius, shape in zip(sorted(radii.tolist(), reverse=True), itertools.cycle(_SHAPES)):
        away = RIM + _CLEAR + radius
        for _ in range(_TRIES):
            x, y = rng.uniform(away, columns - away), rng.uniform(away, rows - away)
            if all(math.hypot(x - a, y - b) > radius + other + _GAP for a, b, other in taken):
                number += 1
                _fill(pen, np.add((x, y), radius * _turned(shape(rng), rng.uniform(0, 7))), number)
                taken.append((x, y, radius))
                break
    return number


def _fill(pen: ImageDraw.ImageDraw, points: _Shape, number: int) -> None:
    pen.polygon(_corners(points), fill=number)


def _corners(points: _Shape) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points.tolist()]


def _turned(points: _Shape, angle: float) -> _Shape:
    cosine, sine = math.cos(angle), math.sin(angle)
    turned: _Shape = points @ np.array([[cosine, sine], [-sine, cosine]])
    return turned


def _around(radii: _Shape) -> _Shape:
    turn = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1) * radii[:, None]


def _ribbon(way: _Shape, widths: _Shape) -> _Shape:
    """Return the outline of a way that is as wide to either side as told for each of its points."""
    ahead = np.gradient(way, axis=0)
    across = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / np.hypot(*ahead.T)[:, None]
    side = across * widths[:, None]
    return np.concatenate([way + side, (way - side)[::-1]])


def _tear(deep: float, rng: np.random.Generator) -> _Shape:
    """Return a tear from the origin along x, whose base lies on the y axis."""
    t = np.linspace(0, 1, 24)
    sides = [0.3 * deep * (1 - t) * rng.uniform(0.8, 1.2, t.size) * sign for sign in (1, -1)]
    there, back = (np.stack([deep * t, side], axis=1) for side in sides)
    return np.concatenate([there, back[::-1]])


# Shapes fit into a circle of radius 1 around the origin.


def _bitten(rng: np.random.Generator) -> _Shape:
    turn = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    waves = [rng.uniform(0, 0.5 / k) * np.cos(k * turn + rng.uniform(0, 7)) for k in range(2, 9)]
    radii = 1 + np.sum(waves, axis=0)
    return _around(radii / radii.max())


def _worm_track(rng: np.random.Generator) -> _Shape:
    t = np.linspace(0, 1, 80)
    heading = 1.2 * np.sin(rng.uniform(8, 13) * t + rng.uniform(0, 7))
    way = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0)
    way -= (way.min(axis=0) + way.max(axis=0)) / 2
    return _ribbon(way * (0.82 / np.hypot(*way.T).max()), np.full(t.size, 0.14))


def _star(rng: np.random.Generator) -> _Shape:
    points = int(rng.integers(4, 8))
    return _around(np.tile([1.0, 0.45], points))


def _slit(rng: np.random.Generator) -> _Shape:
    t = np.linspace(-0.95, 0.95, 40)
    straight = np.stack([t, 0.1 * np.sin(2 * t)], axis=1)
    return _ribbon(straight, 0.18 * (1 - t**2) * rng.uniform(0.8, 1.2, t.size))


def _cut_out(rng: np.random.Generator) -> _Shape:
    angle = rng.uniform(0.6, 1.4)
    return np.array([[math.cos(a), math.sin(a)] for a in (0, angle, np.pi, np.pi + angle)])


_SHAPES: tuple[Callable[[np.random.Generator], _Shape], ...] = (
    _bitten,
    _worm_track,
    _star,
    _slit,
    _cut_out,
)
