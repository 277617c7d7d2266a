"""Scans as users give them: arrays, or paths of pictures; and what of them a box covers."""

import operator
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _engine
from spinekit._core import ArgumentError, UnsupportedError
from spinekit.radiographs.picture_files import opened_picture

Box = tuple[int, int, int, int]

#: Pixels that are copied or converted at a time, where an array's rows cannot be used as they lie.
_STRIP = 1 << 20


class Scan:
    """A scan in memory, whose rows are handed out as the engine takes them."""

    def __init__(self, image: NDArray[Any] | str | os.PathLike[str]) -> None:
        self.pixels = image if isinstance(image, np.ndarray) else _read(image)
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) == 3 and shape[2] == 4:
            raise ArgumentError(
                f"image: shape {shape}, expected 3 samples of RGB; take alpha off with image[..., :3]"
            )
        if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 3):
            raise ArgumentError(f"image: shape {shape}, expected (rows, columns, 3) or (rows, columns)")
        if not all(shape[:2]):
            raise ArgumentError(f"image: shape {shape}, expected at least one pixel")
        if dtype.kind != "u" or dtype.itemsize > 2:
            raise ArgumentError(f"image: {dtype}, expected uint8 or uint16")

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.pixels.shape[0])

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.pixels.shape[1])

    @property
    def bits(self) -> int:
        """Of a sample: 8 or 16."""
        return 8 * int(self.pixels.dtype.itemsize)

    @property
    def colour(self) -> bool:
        """Whether it is RGB, not grey."""
        return self.pixels.ndim == 3

    def strips(self, bounded: bool = False) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield first rows and rows that the engine takes; all at once if not bounded, nor copied."""
        yield from _strips(self.pixels, bounded)

    def box_strips(self, box: Box) -> Iterator[NDArray[Any]]:
        """Yield what a box covers, some rows at a time."""
        for _, strip in _strips(self._pixels_of(box), True):
            yield strip

    def _pixels_of(self, box: Box) -> NDArray[Any]:
        x, y, width, height = box
        return self.pixels[y : y + height, x : x + width]


def _strips(pixels: NDArray[Any], bounded: bool) -> Iterator[tuple[int, NDArray[Any]]]:
    rows, columns = pixels.shape[:2]
    native = pixels.dtype.newbyteorder("=")
    usable = pixels[0].flags.c_contiguous and pixels.flags.aligned and pixels.dtype == native
    step = max(1, _STRIP // columns) if bounded or not usable else rows
    for start in range(0, rows, step):
        strip = pixels[start : start + step]
        yield start, strip if usable else np.ascontiguousarray(strip, native)


def checked_box(box: Any, scan: Scan, what: str) -> Box:
    """Return a box (x, y, width, height) of whole numbers that lies within the scan.

    Parameters
    ----------
    box : of the user
    scan : that it is in
    what : it is, for messages
    """
    size = f"the picture has {scan.columns} x {scan.rows} pixels (width x height)"
    try:
        x, y, width, height = (operator.index(value) for value in box)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"{what}: {box!r}, expected four whole numbers (x, y, width, height); {size}"
        ) from None
    if width < 1 or height < 1:
        raise ArgumentError(f"{what}: {(x, y, width, height)} is empty, expected a width and height of at "
                            f"least 1; {size}")  # fmt: skip
    if x < 0 or y < 0 or x + width > scan.columns or y + height > scan.rows:
        raise ArgumentError(f"{what}: {(x, y, width, height)} (x, y, width, height) reaches outside; {size}")
    return x, y, width, height


def _read(path: Any) -> NDArray[Any]:
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"image: {type(path).__name__}, expected an array or a path")
    place = _engine.path_of(path)
    with opened_picture(place) as opened:
        return _decoded(opened, place)


def _decoded(opened: Any, path: Path) -> NDArray[Any]:
    remedy = "save it as RGB or grey of 8 bits, or give an array"
    # Pillow would make 8 bits of them in silence.
    if opened.mode == "RGB" and any(";16" in str(tile) for tile in opened.tile):
        raise UnsupportedError(f"'{path}': colours of 16 bits, which Pillow does not read; {remedy}")
    if "transparency" in opened.info or opened.mode not in ("L", "RGB", "I;16", "I;16L", "I;16B"):
        kind = "transparent colours" if "transparency" in opened.info else f"mode {opened.mode}"
        raise UnsupportedError(f"'{path}': a picture of {kind}, expected RGB or grey; {remedy}")
    return np.asarray(opened)
