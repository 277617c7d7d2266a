"""How a phantom stands before the tube: lateral views, their scale, and what they cut off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinekit import _core
from spinekit._core import ArgumentError
from spinekit.radiograph import checked_spacing

Points = NDArray[np.float64]

#: Pixels of a film; its eight masks then take 2 GB, and no detector has as many.
_MOST_PIXELS = 1 << 26


@dataclass(frozen=True)
class View:
    """A lateral view, in patient coordinates (LPS, mm).

    Attributes
    ----------
    beam : source and detector
    spacing : (row, column), mm in the plane `plane_x`, where the film's scale holds
    magnification : of that plane on the detector
    facing : side of the film that the patient looks to
    source_to_detector : mm
    """

    beam: _core.Beam
    spacing: tuple[float, float]
    magnification: float
    facing: str
    source_to_detector: float

    def project(self, points: Points) -> Points:
        """Return where points of the patient, shape (n, 3), fall: (x, y) pixels, shape (n, 2)."""
        return np.asarray(self.beam.project(np.ascontiguousarray(points, np.float64)))


def columns_of(rows: int, aspect: float) -> int:
    """Return the columns of a film by default: 0.82 times as wide as it is high."""
    if not 0 < aspect < np.inf:
        raise ArgumentError(f"aspect: {aspect}, expected > 0")
    return max(16, round(0.82 * rows / aspect))


def lateral(
    around: Points,
    *,
    rows: int,
    columns: int,
    margins: tuple[float, float, float, float],
    facing: str = "left",
    tilt: float = 0.0,
    aspect: float = 1.0,
    source_to_detector: float = 1500.0,
    plane_to_detector: float = 260.0,
    central: tuple[float, float] | None = None,
    spacing: tuple[float, float] | None = None,
) -> View:
    """Return the lateral view that shows all of `around`.

    Parameters
    ----------
    around : shape (n, 3), LPS mm; what must be on the film
    rows, columns : of the film
    margins : mm to be seen above, below, in front of and behind it
    facing : "left" or "right"
    tilt : degrees; the film is turned clockwise by it about its middle
    aspect : column spacing over row spacing
    source_to_detector, plane_to_detector : mm; the midsagittal plane (x = 0) is where the film's scale holds
    central : (y, z) mm that the central ray goes through; default: the middle of the film
    spacing : (row, column) mm in that plane, instead of what just shows all
    """
    if rows < 16 or columns < 16:
        raise ArgumentError(f"{rows} rows x {columns} columns: expected at least 16 of each")
    if rows * columns > _MOST_PIXELS:
        raise ArgumentError(f"{rows} rows x {columns} columns: expected at most 2^26 pixels, as 8192 x 8192")
    if not 0 < aspect < np.inf:
        raise ArgumentError(f"aspect: {aspect}, expected > 0")
    if not np.isfinite(tilt):
        raise ArgumentError(f"tilt: {tilt}, expected degrees")
    if facing not in ("left", "right"):
        raise ArgumentError(f"facing is {facing!r}, expected 'left' or 'right'")
    if not 0 < plane_to_detector < source_to_detector < np.inf:
        raise ArgumentError("the patient must stand between source and detector")
    above, below, front, behind = margins
    low, high = around[:, 1:].min(0), around[:, 1:].max(0)
    front_y, behind_y = low[0] - front, high[0] + behind
    bottom_z, top_z = low[1] - below, high[1] + above
    if spacing is None:
        row = max((top_z - bottom_z) / rows, (behind_y - front_y) / (columns * aspect))
        spacing = row, row * aspect
    elif aspect != 1:
        raise ArgumentError(f"aspect: {aspect}, expected none beside spacing, which has it already")
    spacing = checked_spacing(spacing)
    middle = np.array([(front_y + behind_y) / 2, (bottom_z + top_z) / 2])
    through = np.array(central) if central is not None else middle
    # The film's middle shows `middle` of the plane x = 0, whichever way the central ray goes.
    magnification = source_to_detector / (source_to_detector - plane_to_detector)
    source = np.array([-(source_to_detector - plane_to_detector), *through])
    centre = np.array([plane_to_detector, *(through + magnification * (middle - through))])
    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    rightwards = 1.0 if facing == "left" else -1.0
    # Rightwards on the film is posterior (y) when the patient looks to the left.
    column_way = np.array([0.0, rightwards * c, s])
    row_way = np.array([0.0, rightwards * s, -c])
    column_step = magnification * spacing[1] * column_way
    row_step = magnification * spacing[0] * row_way
    corner = centre - (columns - 1) / 2 * column_step - (rows - 1) / 2 * row_step
    beam = _core.Beam(tuple(source), tuple(corner), tuple(row_step), tuple(column_step), rows, columns)
    return View(
        beam, (float(spacing[0]), float(spacing[1])), float(magnification), facing, source_to_detector
    )
