"""Key points of a lateral film, as the phantom knows them, measuring finds them, and clinicians move them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError

VERTEBRAE = ("L1", "L2", "L3", "L4", "L5")
#: The eight masks, in their order; they may overlap.
BONES = (*VERTEBRAE, "sacrum", "FH1", "FH2")
#: Order of a vertebral body's corners.
CORNERS = ("superior anterior", "superior posterior", "inferior anterior", "inferior posterior")

Points = NDArray[np.float64]


def _unknown(*shape: int) -> Points:
    return np.full(shape, np.nan)


@dataclass(eq=False)
class Landmarks:
    """Corners of the vertebral bodies, ends of the S1 endplate, femoral heads; NaN where unknown.

    Points are ``(x, y)`` in pixels of the film, pixel centres at integers.

    Attributes
    ----------
    vertebrae : shape (5, 4, 2), float64; corners of L1 to L5 in the order of `CORNERS`
    sacrum : shape (2, 2), float64; anterior and posterior end of the superior endplate of S1
    heads : shape (2, 2), float64; centres of the femoral heads
    radii : shape (2,), float64; radii of the heads, in rows of the film (mm = radius x row spacing)

    Raises
    ------
    ArgumentError
        If a shape is another.
    """

    vertebrae: Points = field(default_factory=lambda: _unknown(5, 4, 2))
    sacrum: Points = field(default_factory=lambda: _unknown(2, 2))
    heads: Points = field(default_factory=lambda: _unknown(2, 2))
    radii: Points = field(default_factory=lambda: _unknown(2))

    def __post_init__(self) -> None:
        for name, shape in (("vertebrae", (5, 4, 2)), ("sacrum", (2, 2)), ("heads", (2, 2)), ("radii", (2,))):
            points = np.array(getattr(self, name), np.float64)
            if points.shape != shape:
                raise ArgumentError(f"{name}: shape {points.shape}, expected {shape}")
            setattr(self, name, points)

    def endplate(self, vertebra: str, side: str) -> Points:
        """Return the (anterior, posterior) ends of an endplate, shape (2, 2).

        Parameters
        ----------
        vertebra : "L1" to "L5", or "S1"
        side : "superior" or "inferior"; S1 has only the superior one
        """
        if side not in ("superior", "inferior"):
            raise ArgumentError(f"side is {side!r}, expected 'superior' or 'inferior'")
        if vertebra == "S1" and side == "superior":
            return self.sacrum
        if vertebra not in VERTEBRAE:
            raise ArgumentError(f"no {side} endplate of {vertebra!r}: expected L1 to L5, or S1 superior")
        first = 0 if side == "superior" else 2
        return self.vertebrae[VERTEBRAE.index(vertebra), first : first + 2]
