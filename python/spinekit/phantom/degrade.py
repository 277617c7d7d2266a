"""Masks as a network would find them: like the truth to a given Dice, wrong where networks are wrong."""

import math
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError
from spinekit.phantom.seeds import checked_seed

Field = NDArray[np.float32]
Bits = NDArray[np.bool_]

#: What can go wrong, in the order in which it does.
KINDS = ("boundary", "leaks", "holes", "islands", "corners", "soft")
#: Share of the bones that have a leak, hole, island, lost corner at all. No source says how often: a film
#: of eight bones has about six of these.
_HOW_OFTEN = {"leaks": 0.2, "holes": 0.2, "islands": 0.2, "corners": 0.2}
#: How large it is, in amplitudes of the boundary noise.
_HOW_LARGE = {"leaks": 3.0, "holes": 2.0, "islands": 1.5, "corners": 3.5}
#: Of the boundary noise: (length in correlation lengths, weight), and the weight of what the whole
#: boundary is too far out or in. Most of what real networks lack to a Dice of 1 is such an offset and
#: rounding: the bones' angles come out better than a Dice of .93 by waves alone would let them. No offset at
#: all would make the waves as high as the whole lack: it is half to one and a half times the mean.
_WAVES = ((1.0, 0.55), (4.0, 0.2))
_OFFSET = 1.0
#: Corners are rounded over so many sizes of the bone, fully at this amplitude (in sizes).
_ROUNDING, _ROUNDED_AT = 0.07, 0.05
#: Width of the logistic ramp at the border, in sizes of the bone.
_SOFTNESS = 0.012
#: The search stops here; what is promised is 0.005.
_CLOSE = 0.001


def degrade(
    masks: NDArray[Any],
    dice: float = 0.93,
    *,
    seed: int = 0,
    kinds: Collection[str] = KINDS,
    correlation: float = 0.12,
    keep_dtype: bool = False,
) -> NDArray[Any]:
    """Return masks with the mistakes of a network, each as close to its truth as `dice` says.

    Parameters
    ----------
    masks : shape (n, rows, columns), not changed: bool, float32 or float64 probabilities in [0, 1], or uint8,
        which is read as `spinekit.measure` reads it: 0 and 1, or with any value above 1 255ths
    dice : of ``result > 0.5`` against ``masks > 0.5``, for every mask; in (0, 1]
    seed : 0 or more; same seed, same result; every mask has noise of its own
    kinds : what goes wrong; one switched off leaves the places of the others as they are:

        - "boundary": the border wanders by smooth noise, is as a whole too far out or in, and rounded
        - "leaks": a lobe, mostly towards the nearest other mask
        - "holes", "islands": inside and beside the bone
        - "corners": the bone's end in some oblique direction is cut off
        - "soft": probabilities fall over a width in proportion to the bone; else over one pixel
    correlation : distance at which the boundary noise has forgotten itself to 1 / e, as a share of the
        bone's size, the root of its area; some of the noise is longer than that
    keep_dtype : bool masks give bool masks

    Returns
    -------
    degraded : shape (n, rows, columns), float32; empty masks stay empty

    Raises
    ------
    ArgumentError
        If shape, dtype or values of the masks, `dice`, `seed` or `kinds` are others than these.

    Notes
    -----
    The mask becomes a distance to its border, to which noise is added; one amplitude, which scales all
    mistakes, is found by bisection until Dice is within 0.005 of what was asked for. Masks of few pixels
    (fewer than about 700) may have no such Dice, and get the closest there is; so do masks without a border.
    Each bone is worked on within its own frame: 8 of a film of 1024 x 800 take about 0.2 s. What a
    network does differently from film to film (Dice itself varies) is left to the caller.

    Examples
    --------
    >>> masks = np.zeros((1, 64, 64), bool)
    >>> masks[0, 16:48, 12:52] = True
    >>> found = degrade(masks, dice=0.9, seed=1) > 0.5
    >>> bool(abs(2 * (found & masks).sum() / (found.sum() + masks.sum()) - 0.9) < 0.005)
    True
    """
    masks = np.asarray(masks)
    if masks.dtype == np.uint8:
        masks = masks / np.float32(255 if masks.size and masks.max() > 1 else 1)
    _check(masks, dice, kinds, correlation)
    seed = checked_seed(seed)
    bits = masks > 0.5
    centres = [_centre(one) for one in bits]
    result = np.zeros(masks.shape, np.float32)
    for k, one in enumerate(bits):
        if not one.any():
            continue
        if dice == 1:
            result[k] = masks[k]
            continue
        others = [c for j, c in enumerate(centres) if j != k and c is not None]
        bone = _Bone(masks[k], one, others, seed=(seed, k), correlation=correlation)
        frame = bone.frame
        result[k][frame] = bone.degraded(dice, kinds)
    return result > 0.5 if keep_dtype and masks.dtype == bool else result


def _check(masks: NDArray[Any], dice: float, kinds: Collection[str], correlation: float) -> None:
    if masks.ndim != 3:
        raise ArgumentError(f"masks: shape {masks.shape}, expected (n, rows, columns)")
    if masks.dtype != bool and masks.dtype not in (np.float32, np.float64):
        raise ArgumentError(f"masks: {masks.dtype}, expected bool, uint8, float32 or float64")
    if masks.size and masks.dtype != bool and not (masks.min() >= 0 and masks.max() <= 1):
        raise ArgumentError(f"masks: values {masks.min()} to {masks.max()}, expected probabilities in [0, 1]")
    if not 0 < dice <= 1:
        raise ArgumentError(f"dice is {dice}, expected more than 0 and at most 1")
    if not correlation > 0:
        raise ArgumentError(f"correlation is {correlation}, expected more than 0")
    if isinstance(kinds, str) or not set(kinds) <= set(KINDS):
        raise ArgumentError(f"kinds is {kinds!r}, expected some of {KINDS}")


def _centre(bits: Bits) -> NDArray[np.float64] | None:
    """Return a mask's centroid (row, column), None if it is empty."""
    rows = bits.sum(axis=1)
    if not rows.any():
        return None
    columns = bits.sum(axis=0)
    middle: NDArray[np.float64] = np.array(
        [rows @ np.arange(len(rows)), columns @ np.arange(len(columns))], np.float64
    )
    return middle / float(rows.sum())


class _Bone:
    """One mask in its own frame: distances, and what goes wrong with it at any amplitude."""

    def __init__(
        self,
        mask: NDArray[Any],
        bits: Bits,
        others: list[NDArray[np.float64]],
        *,
        seed: tuple[int, int],
        correlation: float,
    ) -> None:
        self.size = math.sqrt(np.count_nonzero(bits))
        margin = math.ceil(0.6 * self.size) + 4
        self.frame = tuple(
            slice(max(0, int(there[0]) - margin), int(there[-1]) + margin + 1)
            for there in (np.flatnonzero(bits.any(axis=1)), np.flatnonzero(bits.any(axis=0)))
        )
        self.bits = bits[self.frame]
        corner = np.array([s.start for s in self.frame], np.float64)
        self.centre = np.argwhere(self.bits).mean(axis=0)
        self.others = [other - corner for other in others]
        self.seed = seed
        self.correlation = correlation
        self.distance = _signed_distance(mask[self.frame], self.bits)
        inside = (self.distance > 0) & (self.distance <= 1.5)
        self.border = np.argwhere(inside).astype(np.float64)
        shape = self.bits.shape
        self.row = np.arange(shape[0], dtype=np.float32)[:, None]
        self.column = np.arange(shape[1], dtype=np.float32)[None, :]

    def degraded(self, dice: float, kinds: Collection[str]) -> Field:
        """Return probabilities in the frame, whose Dice is as close to `dice` as can be found."""
        steps = list(self._boundary() if "boundary" in kinds else ()) + list(self._steps(kinds))

        def at(amplitude: float) -> Field:
            found = self.distance
            for step in steps:
                found = step(found, amplitude)
            return found

        count = np.count_nonzero(self.bits)

        def dice_at(amplitude: float) -> float:
            now = at(amplitude) > 0
            return float(2 * np.count_nonzero(now & self.bits) / (np.count_nonzero(now) + count))

        found = at(_search(dice_at, dice, 0.5 * self.size))
        if "soft" not in kinds:
            sharp: Field = np.clip(found + np.float32(0.5), 0, 1)
            return sharp
        width = max(_SOFTNESS * self.size * self._random("soft").uniform(0.7, 1.6), 0.25)
        soft: Field = 1 / (1 + np.exp(np.clip(found / np.float32(-width), -30, 30)))
        soft[soft < 1e-3] = 0
        return soft

    def _random(self, kind: str) -> np.random.Generator:
        """Return numbers of this mask and kind alone, so that kinds can be switched off one by one."""
        return np.random.default_rng((*self.seed, KINDS.index(kind)))

    def _boundary(self) -> Iterator[Callable[[Field, float], Field]]:
        offset, of_waves, waves = self._noise()
        rounding = self._rounding()

        def change(distance: Field, amplitude: float) -> Field:
            rounded = min(1.0, amplitude / (_ROUNDED_AT * self.size))
            # Borders of bool masks lie at whole distances: a mere offset would move a straight one by a
            # pixel everywhere at once. So waves are half a pixel high at least.
            high = max(of_waves * amplitude, min(0.5, amplitude))
            changed: Field = distance + np.float32(high) * waves + np.float32(rounded) * rounding
            changed += np.float32(offset * amplitude)
            return changed

        yield change

    def _noise(self) -> tuple[float, float, Field]:
        """Return a displacement of deviation 1: its offset, the deviation of its waves, and these of 1."""
        random = self._random("boundary")
        offset = _OFFSET * random.choice([-1.0, 1.0]) * random.uniform(0.5, 1.5)
        waves = np.zeros(self.bits.shape, np.float32)
        for length, weight in _WAVES:
            # A Gaussian kernel of deviation s gives a correlation of 1 / e at 2 s.
            waves += np.float32(weight) * _smooth(
                random, self.bits.shape, length * self.correlation * self.size / 2
            )
        of_waves = math.sqrt(sum(weight**2 for _, weight in _WAVES))
        whole = math.hypot(_OFFSET, of_waves)
        return offset / whole, of_waves / whole, waves / np.float32(of_waves)

    def _rounding(self) -> Field:
        """Return what smoothing changes of the distances: much at corners, nothing along straight borders."""
        from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - slow to import

        smooth: Field = gaussian_filter(self.distance, _ROUNDING * self.size, truncate=3.0)
        return smooth - self.distance

    def _steps(self, kinds: Collection[str]) -> Iterator[Callable[[Field, float], Field]]:
        """Yield what changes the distances, given them and the amplitude in pixels."""
        for kind, often in _HOW_OFTEN.items():
            random = self._random(kind)
            there, scale = random.random() < often, _HOW_LARGE[kind] * random.uniform(0.7, 1.3)
            if kind not in kinds or not there:
                continue
            if kind == "corners":
                yield _cut(self._beyond_corner(random), scale)
                continue
            choose = {"leaks": self._towards_neighbour, "holes": self._within, "islands": self._beside}[kind]
            if (place := choose(random)) is not None:
                away = np.hypot(self.row - np.float32(place[0]), self.column - np.float32(place[1]))
                yield _disc(away, scale, added=kind != "holes")

    def _towards_neighbour(self, random: np.random.Generator) -> NDArray[np.float64] | None:
        if not len(self.border):
            return None
        ways = [other - self.centre for other in self.others]
        ways = [way for way in ways if way.any()]
        if ways:
            way = min(ways, key=lambda one: float(one @ one))
            angle = math.atan2(way[0], way[1]) + random.normal(0, 0.35)
        else:
            angle = random.uniform(-math.pi, math.pi)
        from_centre = self.border - self.centre
        turn = np.arctan2(from_centre[:, 0], from_centre[:, 1]) - angle
        nearest: NDArray[np.float64] = self.border[np.argmax(np.cos(turn))]
        return nearest

    def _within(self, random: np.random.Generator) -> NDArray[np.float64] | None:
        return _one_of(random, self.distance > 0.5 * self.distance.max())

    def _beside(self, random: np.random.Generator) -> NDArray[np.float64] | None:
        away = -self.distance / np.float32(self.size)
        return _one_of(random, (away > 0.2) & (away < 0.4))

    def _beyond_corner(self, random: np.random.Generator) -> Field:
        """Return how far each pixel lies beyond the bone's end in an oblique direction; none of it > 0."""
        angle = math.pi / 4 + math.pi / 2 * random.integers(4) + random.normal(0, 0.2)
        down, across = np.float32(math.sin(angle)), np.float32(math.cos(angle))
        along: Field = self.row * down + self.column * across
        along -= along[self.bits].max()
        return along


def _disc(away: Field, scale: float, *, added: bool) -> Callable[[Field, float], Field]:
    def change(distance: Field, amplitude: float) -> Field:
        depth = np.float32(scale * amplitude) - away
        changed: Field = np.maximum(distance, depth) if added else np.minimum(distance, -depth)
        return changed

    return change


def _cut(beyond: Field, scale: float) -> Callable[[Field, float], Field]:
    def change(distance: Field, amplitude: float) -> Field:
        changed: Field = np.minimum(distance, np.float32(0.5 - scale * amplitude) - beyond)
        return changed

    return change


def _one_of(random: np.random.Generator, chosen: Bits) -> NDArray[np.float64] | None:
    places = np.flatnonzero(chosen)
    if not len(places):
        return None
    row, column = np.unravel_index(places[random.integers(len(places))], chosen.shape)
    return np.array([row, column], np.float64)


def _signed_distance(mask: NDArray[Any], bits: Bits) -> Field:
    """Return the distance to the border, > 0 inside; beside the border what the coverage says."""
    from scipy.ndimage import distance_transform_edt  # noqa: PLC0415 - slow to import

    if bits.all():
        return np.full(bits.shape, math.sqrt(bits.size), np.float32)
    distance: Field = distance_transform_edt(bits).astype(np.float32) - np.float32(0.5)
    outside = np.float32(0.5) - distance_transform_edt(~bits).astype(np.float32)
    distance[~bits] = outside[~bits]
    if mask.dtype != bool:
        covered = (np.abs(distance) < 1) & (mask > 0) & (mask < 1)
        distance[covered] = mask[covered] - np.float32(0.5)
    return distance


def _smooth(random: np.random.Generator, shape: tuple[int, ...], deviation: float) -> Field:
    """Return white noise through a Gaussian kernel, deviation 1; made on a coarser grid where it can be."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - slow to import

    step = max(1.0, deviation / 2)
    kernel = deviation / step
    room = math.ceil(4 * kernel)
    coarse = tuple(math.ceil(side / step) + 2 * room + 2 for side in shape)
    field = gaussian_filter(random.standard_normal(coarse, np.float32), kernel, mode="wrap")
    # Sum of the squares of a sampled Gaussian kernel in two dimensions: what is left of the variance.
    taps = np.exp(-0.5 * (np.arange(-room, room + 1) / max(kernel, 1e-6)) ** 2)
    field /= np.float32((taps**2).sum() / taps.sum() ** 2)
    if step == 1:
        plain: Field = field[room : room + shape[0], room : room + shape[1]]
        return plain
    rows, columns = (room + np.arange(side, dtype=np.float32) / np.float32(step) for side in shape)
    # Separable: along columns, then along rows.
    wide = _resampled(field, columns, axis=1)
    return _resampled(wide, rows, axis=0)


def _resampled(field: Field, at: Field, axis: int) -> Field:
    """Return cubic (Catmull-Rom) interpolation along one axis."""
    whole = np.floor(at).astype(np.int64)
    t = (at - whole).astype(np.float32)
    weights = (
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )
    shape = (1, -1) if axis == 1 else (-1, 1)
    parts = (
        np.take(field, whole + k - 1, axis=axis) * weight.reshape(shape) for k, weight in enumerate(weights)
    )
    found: Field = sum(parts, start=np.zeros((), np.float32))
    return found


def _search(dice_at: Callable[[float], float], dice: float, most: float) -> float:
    """Return the amplitude whose Dice is next to `dice`; Dice falls with it, but for some grains."""
    low, high = 0.0, most
    best, miss = 0.0, math.inf
    for _ in range(24):
        middle = (low + high) / 2
        now = dice_at(middle)
        if abs(now - dice) < miss:
            best, miss = middle, abs(now - dice)
        if miss <= _CLOSE:
            break
        low, high = (middle, high) if now > dice else (low, middle)
    return best
