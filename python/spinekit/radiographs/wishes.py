"""What a caller wants of a film, and what a reader found."""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from spinekit._core import ArgumentError
from spinekit.radiographs.spacings import Spacing

#: Films of 23000 x 23000, some times those of the largest detectors and scanners.
MAX_PIXELS = 1 << 29
#: Of what was done to a film.
AS_ASKED = "inverted: as asked"


@dataclass(frozen=True)
class Wishes:
    """Options of `read_radiograph` that its readers need."""

    frame: int | None = None
    voi: str | int = "auto"
    invert: bool = False
    keep: tuple[str, ...] = ()
    max_pixels: int = MAX_PIXELS
    workers: int | None = None

    def frame_of(self, frames: int, name: str, what: str = "frames") -> int:
        """Return the frame to read, of as many as a file has."""
        if self.frame is None:
            if frames > 1:
                raise ArgumentError(f"'{name}' has {frames} {what}; choose one by frame=, 0 to {frames - 1}")
            return 0
        if not 0 <= self.frame < frames:
            raise ArgumentError(
                f"frame: {self.frame}, expected 0 to {frames - 1}: '{name}' has {frames} {what}"
            )
        return self.frame


@dataclass
class Found:
    """A film as a file has it; attributes as of `Radiograph`.

    `aspect` is the height over the width of its pixels; `inverted` tells that this needs not be done any
    more, if it was asked for.
    """

    pixels: NDArray[Any]
    notes: dict[str, Any] = field(default_factory=dict)
    spacing: Spacing | None = None
    spacing_from: str = ""
    aspect: float = 1.0
    inverted: bool = False
