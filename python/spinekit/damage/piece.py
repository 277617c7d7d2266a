"""A damaged piece: where it is, how large, and the outline that it is cut along."""

import math
from typing import Any, Protocol

import numpy as np

from spinekit._core import ArgumentError
from spinekit.damage import svg
from spinekit.damage.svg import Points


class FoundPiece(Protocol):
    """What is known of a piece in pixels: the engine's own, or one that was read from a file."""

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def area(self) -> float: ...  # noqa: D102
    @property
    def pixels(self) -> int | None: ...  # noqa: D102
    @property
    def centroid(self) -> tuple[float, float]: ...  # noqa: D102
    @property
    def box(self) -> tuple[int, int, int, int]: ...  # noqa: D102
    @property
    def outline(self) -> Points: ...  # noqa: D102
    @property
    def contour(self) -> Points: ...  # noqa: D102


class DamagedPiece:
    """One damaged place of a scan; points are (x, y) in its pixels, centres of pixels at whole numbers."""

    __slots__ = ("_found", "_scale")

    def __init__(self, found: FoundPiece, mm_per_pixel: tuple[float, float] | None = None) -> None:
        self._found = found
        self._scale = mm_per_pixel

    @property
    def number(self) -> int:
        """The number, from 1."""
        return self._found.number

    @property
    def area(self) -> float:
        """What is cut out, pixels: within the contour through the centres of border pixels, holes included.

        Of long and thin damage much less than `pixels`, what is damaged.
        """
        return self._found.area

    @property
    def area_mm2(self) -> float | None:
        """The same in mm², None where the scale is unknown."""
        return None if self._scale is None else self.area * self._scale[0] * self._scale[1]

    @property
    def pixels(self) -> int | None:
        """How many pixels are damaged, without holes; None of a piece whose outline was changed by hand."""
        return self._found.pixels

    @property
    def pixels_mm2(self) -> float | None:
        """The same in mm², None where it or the scale is unknown."""
        if self._scale is None or self.pixels is None:
            return None
        return self.pixels * self._scale[0] * self._scale[1]

    @property
    def centroid(self) -> tuple[float, float]:
        """Centroid (x, y) of what is within the contour, pixels; of one without area, the box's centre."""
        return self._found.centroid

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The least box (x, y, width, height) that holds all pixels."""
        return self._found.box

    @property
    def outline(self) -> Points:
        """The contour simplified, which is what is cut: shape (n, 2), int32, a copy."""
        return self._found.outline

    @property
    def contour(self) -> Points:
        """Every corner of the border: shape (n, 2), int32, a copy; empty unless contours were kept."""
        return self._found.contour

    @property
    def mm_per_pixel(self) -> tuple[float, float] | None:
        """Scale (x, y), None where it is unknown."""
        return self._scale

    def svg(self) -> str:
        """Return the piece's SVG file, at its size in mm, or in pixels where the scale is unknown.

        Returns
        -------
        text : empty where the outline has fewer than three points
        """
        return svg.piece_svg(self.outline, self._scale)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: area_px, area_mm2, centroid and outline among them, arrays as lists."""
        return self._properties() | {"outline": self.outline.tolist()}

    def _properties(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "area_px": self.area,
            "area_mm2": self.area_mm2,
            "pixels": self.pixels,
            "pixels_mm2": self.pixels_mm2,
            "centroid": list(self.centroid),
            "box": list(self.box),
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DamagedPiece):
            return NotImplemented
        return (
            (self.number, self.area, self.pixels, self.centroid, self.box, self._scale)
            == (other.number, other.area, other.pixels, other.centroid, other.box, other._scale)
            and np.array_equal(self.outline, other.outline)
            and np.array_equal(self.contour, other.contour)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        x, y = self.centroid
        return f"<DamagedPiece {self.number}: {area_text(self.area, self.area_mm2)} at ({x:.1f}, {y:.1f})>"

    def _repr_html_(self) -> str:
        x, y = self.centroid
        return (
            f"{svg.drawing(self.outline, 160)}<p>piece {self.number}: "
            f"{area_text(self.area, self.area_mm2)} at ({x:.1f}, {y:.1f})</p>"
        )


def area_text(area: float, area_mm2: float | None) -> str:
    """Return an area for people, in mm² too where that is known."""
    return f"{area:,.1f} px" + ("" if area_mm2 is None else f" ({area_mm2:,.4g} mm²)")


def checked_scale(mm_per_pixel: Any) -> tuple[float, float]:
    """Return a scale as (x, y); an ArgumentError for anything but finite numbers above 0."""
    single = isinstance(mm_per_pixel, int | float | np.number)
    try:
        x, y = (float(value) for value in ((mm_per_pixel, mm_per_pixel) if single else mm_per_pixel))
        if isinstance(mm_per_pixel, bool | str):
            x = math.nan
    except (TypeError, ValueError, OverflowError):
        x = y = math.nan
    if not (0 < x < math.inf and 0 < y < math.inf):
        raise ArgumentError(
            f"mm_per_pixel: {mm_per_pixel!r}, expected a number of mm or two, (x, y), finite and above 0; "
            "25.4 / dpi where the scanner tells dots per inch"
        )
    return x, y
