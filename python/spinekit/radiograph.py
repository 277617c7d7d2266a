"""Projection radiographs: pixels, their size, and where both come from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError


def checked_spacing(spacing: Sequence[float]) -> tuple[float, float]:
    """Return a spacing as two floats; an ArgumentError for anything but two positive, finite numbers."""
    try:
        row, column = (float(value) for value in spacing)
    except (TypeError, ValueError):
        row = column = math.nan
    if not (0 < row < math.inf and 0 < column < math.inf):
        raise ArgumentError(f"spacing: {spacing!r}, expected (row, column) in mm, both > 0")
    return row, column


@dataclass(eq=False)
class Radiograph:
    """A film: what is measured, segmented and restored.

    Attributes
    ----------
    pixels : shape (rows, columns), uint8, uint16 or float32; dense bone is bright, whatever the
        photometric interpretation of the file
    spacing : (row, column) distance of pixel centres in mm, or None where nobody knows
    spacing_from : how the spacing is known: ``"PixelSpacing"``, ``"ImagerPixelSpacing"``, ``"given"``,
        ``"known length"``, ``"phantom"``, or empty
    source : what it was read or made from; no patient data
    notes : further things to know, such as exposure, by name

    Raises
    ------
    ArgumentError
        If the pixels are no 2D array of such a dtype, or the spacing is not positive.
    """

    pixels: NDArray[Any]
    spacing: tuple[float, float] | None = None
    spacing_from: str = ""
    source: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.pixels, np.ndarray):
            raise ArgumentError(f"pixels: {type(self.pixels).__name__}, expected an array (rows, columns)")
        if self.pixels.ndim != 2 or self.pixels.size == 0:
            raise ArgumentError(f"pixels: shape {self.pixels.shape}, expected (rows, columns)")
        if self.pixels.dtype not in (np.uint8, np.uint16, np.float32):
            raise ArgumentError(f"pixels: {self.pixels.dtype}, expected uint8, uint16 or float32")
        if self.spacing is not None:
            self.spacing = checked_spacing(self.spacing)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.pixels.shape
        return rows, columns

    def __repr__(self) -> str:
        spacing = f"{self.spacing[0]:.4g} x {self.spacing[1]:.4g} mm" if self.spacing else "unknown spacing"
        rows, columns = self.shape
        return f"<Radiograph {rows} x {columns} {self.pixels.dtype}, {spacing}, {self.source or 'no source'}>"
