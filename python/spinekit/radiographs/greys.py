"""Grey levels of films: out of colours, out of any numbers, turned round."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError

_REC_601 = np.array([0.299, 0.587, 0.114], np.float32)
#: Pixels at a time: as float32 they take four times the memory of bytes.
_STRIP = 1 << 22


def luma(colours: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Return the grey of colours, and what share of the pixels has colour.

    Parameters
    ----------
    colours : shape (rows, columns, 3), red, green, blue

    Returns
    -------
    grey : shape (rows, columns), dtype as before; where all channels are equal, exactly those
    coloured : 0 to 1
    """
    rows, columns = colours.shape[:2]
    grey = np.empty((rows, columns), colours.dtype)
    coloured = 0
    step = max(1, _STRIP // columns)
    for row in range(0, rows, step):
        part = colours[row : row + step]
        differs = (part != part[..., :1]).any(axis=2)
        coloured += int(np.count_nonzero(differs))
        mixed = part.astype(np.float32) @ _REC_601
        if colours.dtype.kind in "iu":
            mixed = np.rint(mixed)
        grey[row : row + step] = np.where(differs, mixed, part[..., 0])
    return grey, coloured / (rows * columns)


def note_colour(share: float, notes: dict[str, Any]) -> None:
    """Remark how much of a film had colour, if any."""
    if share:
        notes["remarks"].append(f"{100 * share:.3g} % of its pixels have colour; their grey is Rec. 601 luma")


def grey_film(values: NDArray[Any], notes: dict[str, Any]) -> NDArray[Any]:
    """Return an array of any numbers as a film has it: uint8, uint16 or else float32, finite.

    Parameters
    ----------
    values : shape (rows, columns)
    notes : gets "range"; "remarks" are appended to
    """
    made = _finite(values, notes)
    notes["range"] = level_range(made)
    return made


def _finite(values: NDArray[Any], notes: dict[str, Any]) -> NDArray[Any]:
    if values.dtype == np.bool_:
        return np.where(values, np.uint8(255), np.uint8(0))
    if values.dtype in (np.uint8, np.uint16):
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= 65535:
        return values.astype(np.uint16)
    with np.errstate(over="ignore"):
        made = values.astype(np.float32, copy=values.dtype != np.float32)
    fine = np.isfinite(made)
    if not fine.all():
        if not fine.any():
            raise ArgumentError("none of its pixels is a number")
        made = np.where(fine, made, made[fine].min())
        lost = made.size - np.count_nonzero(fine)
        notes["remarks"].append(f"{lost} pixels are no numbers: made as dark as the darkest")
    return made


def inverted_levels(pixels: NDArray[Any], notes: dict[str, Any]) -> NDArray[Any]:
    """Return what was bright dark, within the range that the notes have, and the noted window with it."""
    low, high = notes["range"]
    if "window" in notes:
        dark, bright = notes["window"]
        notes["window"] = (low + high - bright, low + high - dark)
    if pixels.dtype == np.float32:
        return np.asarray(np.float32(low + high) - pixels, np.float32)
    ends = pixels.dtype.type(low + high)
    return np.asarray(ends - np.minimum(pixels, ends), pixels.dtype)


def level_range(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return between which values the levels of a film are that does not say it."""
    if pixels.dtype == np.float32:
        return float(pixels.min()), float(pixels.max())
    return 0.0, float(np.iinfo(pixels.dtype).max)
