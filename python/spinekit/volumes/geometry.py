"""Where a volume lies in the patient."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spinekit import _core

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Geometry:
    """Where the voxels of a volume lie in the patient.

    Attributes
    ----------
    spacing : (slice, row, column), mm; None where it is not known. With a tilted gantry the slice
        spacing is the way from one slice's position to the next's.
    origin : centre of voxel (0, 0, 0), LPS, mm; None without positions or a common orientation
    direction : shape (3, 3), columns: unit axes of slices, rows (downwards) and columns (rightwards),
        LPS; None where origin is
    regular : all slice steps are equal within 1 %
    tilt : degrees between the slice axis and the normal of the slices
    duplicates : slices that lie where the one before them lies
    gaps : slices behind which at least one is missing
    findings : the same in words, empty for a regular grid

    References
    ----------
    DICOM PS3.3 C.7.6.2 (Image Plane module).
    """

    spacing: tuple[float | None, float | None, float | None]
    origin: tuple[float, float, float] | None
    direction: FloatArray | None
    regular: bool = True
    tilt: float = 0.0
    duplicates: int = 0
    gaps: tuple[int, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def affine_lps(self) -> FloatArray | None:
        """Shape (4, 4): (slice, row, column, 1) to LPS, mm. Unknown spacings count as 1 mm."""
        if self.origin is None or self.direction is None:
            return None
        affine = np.eye(4)
        affine[:3, :3] = self.direction * [1.0 if s is None else s for s in self.spacing]
        affine[:3, 3] = self.origin
        return affine

    @property
    def affine_ras(self) -> FloatArray | None:
        """Shape (4, 4): (slice, row, column, 1) to RAS, mm, as neuroimaging tools expect it."""
        lps = self.affine_lps
        return None if lps is None else np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps

    @property
    def affine(self) -> FloatArray | None:
        """The same as `affine_ras`."""
        return self.affine_ras

    def __str__(self) -> str:
        spacing = " x ".join("?" if s is None else f"{s:.6g}" for s in self.spacing)
        origin = (
            "unknown"
            if self.origin is None
            else "(" + ", ".join(f"{c:.6g}" for c in self.origin) + ") mm LPS"
        )
        return f"spacing {spacing} mm (slice, row, column), origin {origin}" + "".join(
            f"; {finding}" for finding in self.findings
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "spacing": list(self.spacing),
            "origin": None if self.origin is None else list(self.origin),
            "direction": None if self.direction is None else self.direction.tolist(),
            "regular": self.regular,
            "tilt": self.tilt,
            "duplicates": self.duplicates,
            "gaps": list(self.gaps),
            "findings": list(self.findings),
        }


def arranged(frames: Sequence[_core.FrameHeader]) -> tuple[list[int], Geometry]:
    """Return the numbers of frames in slice order, and their geometry."""
    order, found = _core.arrange(list(frames))
    direction = None if found.origin is None else np.array(found.axes, dtype=np.float64).T
    spacing = (found.spacing[0], found.spacing[1], found.spacing[2])
    geometry = Geometry(
        spacing=spacing,
        origin=None if found.origin is None else (found.origin[0], found.origin[1], found.origin[2]),
        direction=direction,
        regular=found.regular,
        tilt=found.tilt,
        duplicates=found.duplicates,
        gaps=tuple(found.gaps),
        findings=tuple(found.findings()),
    )
    return order, geometry
