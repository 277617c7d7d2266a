"""What a network says of a film, as logits of each class for itself, of all views together."""

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError

Floats = NDArray[np.float32]

_MOST_DEG = 45.0
#: Beyond it float32 has no probabilities: the logistic function is 0 or 1.
_MOST_LOGIT = 16.0


def checked_tilts(tilts: Iterable[float]) -> tuple[float, ...]:
    """Return tilts as floats, or an ArgumentError unless all are within 45 degrees."""
    try:
        angles = tuple(float(angle) for angle in tilts)
    except (TypeError, ValueError):
        raise ArgumentError(f"tilts: {tilts!r}, expected angles in degrees, such as (-5, 5)") from None
    if not all(abs(angle) <= _MOST_DEG for angle in angles):  # NaN is neither
        raise ArgumentError(f"tilts: {angles}, expected angles from -45 to 45 degrees")
    return angles


def averaged(stack: Floats, tilts: tuple[float, ...], forward: Callable[[Floats], Floats]) -> Floats:
    """Return logits whose logistic function is the mean of the probabilities of all views.

    Parameters
    ----------
    stack : shape (n, channels, rows, columns); the upright view is one of those
    tilts : degrees, clockwise as one looks at the film
    forward : from films to logits

    Returns
    -------
    logits : shape (n, classes, rows, columns), limited to +-16. A view counts where it saw the pixel: the
        corners of a tilted film leave the input

    Notes
    -----
    Linear between pixels both ways, which blurs by less than a pixel. The mean is brought back to logits so
    that borders on the film are found between them as without tilts.
    """
    upright = forward(stack)
    if not tilts:
        return upright
    total = _logistic(upright)
    seen = np.ones(upright.shape[2:])
    for angle in tilts:
        logits, inside = _turned(forward(_turned(stack, angle)[0]), -angle)
        total += np.where(inside, _logistic(logits), 0)
        seen += inside
    share = total / seen
    with np.errstate(divide="ignore"):
        found = np.log(share) - np.log1p(-share)
    return _limited(found)


def single(logits: Floats) -> Floats:
    """Return logits whose logistic function is the softmax of others over classes.

    Parameters
    ----------
    logits : shape (n, classes, rows, columns), two classes at least

    Returns
    -------
    logits : of the same shape, limited to +-16: what follows needs not know how classes exclude each other
    """
    from scipy import special  # noqa: PLC0415 - slow to import

    found = np.empty(logits.shape, np.float32)
    for film, made in zip(logits, found, strict=True):
        share = special.log_softmax(film.astype(np.float64), axis=0)
        with np.errstate(divide="ignore"):
            made[...] = _limited(share - np.log(-np.expm1(share)))
    return found


def _limited(logits: NDArray[np.float64]) -> Floats:
    return np.asarray(np.clip(logits, -_MOST_LOGIT, _MOST_LOGIT), np.float32)


def _turned(maps: Floats, angle: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Return maps (n, m, rows, columns) turned clockwise about their middle, and which pixels were there."""
    from scipy import ndimage  # noqa: PLC0415 - slow to import

    rows, columns = maps.shape[2:]
    turn = math.radians(angle)
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    y -= (rows - 1) / 2
    x -= (columns - 1) / 2
    from_x = math.cos(turn) * x + math.sin(turn) * y + (columns - 1) / 2
    from_y = math.cos(turn) * y - math.sin(turn) * x + (rows - 1) / 2
    turned = np.empty_like(maps)
    for one in np.ndindex(maps.shape[:2]):
        # Beside the film is 0, and so is what comes in from outside of the input.
        ndimage.map_coordinates(maps[one], (from_y, from_x), turned[one], order=1, mode="constant")
    inside = (from_x >= 0) & (from_x <= columns - 1) & (from_y >= 0) & (from_y <= rows - 1)
    return turned, inside


def _logistic(logits: Floats) -> NDArray[np.float64]:
    from scipy import special  # noqa: PLC0415 - slow to import

    found: NDArray[np.float64] = special.expit(logits.astype(np.float64))
    return found
