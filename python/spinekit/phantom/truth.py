"""What is true of a phantom: corners from the geometry of its rims, angles from their definitions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinekit.measurement.landmarks import Landmarks
from spinekit.phantom.patient import Patient
from spinekit.phantom.spinal_column import Sagittal
from spinekit.phantom.view import View

Points = NDArray[np.float64]
LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")


@dataclass(frozen=True)
class Parameters:
    """Spinopelvic parameters, degrees and mm.

    Attributes
    ----------
    pt, ss, ll : pelvic tilt, sacral slope, lumbar lordosis L1-S1; degrees
    segmental : lordosis between the superior endplates of neighbours, by level
    disc_heights : anterior, middle and posterior height of the discs, mm, by level: across the plane that
        halves the angle of the endplates (Frobin et al. 1997, doi 10.1016/s0268-0033(96)00067-8)
    l4_s1, l1pa : lordosis L4-S1, L1 pelvic angle; degrees
    """

    pt: float
    ss: float
    ll: float
    segmental: dict[str, float]
    disc_heights: dict[str, tuple[float, float, float]]
    l4_s1: float
    l1pa: float

    @property
    def pi(self) -> float:
        """Pelvic incidence, degrees."""
        return self.pt + self.ss

    @property
    def pi_minus_ll(self) -> float:
        """PI - LL, degrees."""
        return self.pi - self.ll

    def to_dict(self) -> dict[str, float]:
        """Return all values by the names that they have in a measurement's table."""
        values = {
            "pi": self.pi, "pt": self.pt, "ss": self.ss, "ll": self.ll,
            "pi_minus_ll": self.pi_minus_ll, "l1pa": self.l1pa, "l4_s1": self.l4_s1,
        }  # fmt: skip
        values |= {f"segmental.{level}": value for level, value in self.segmental.items()}
        for level, heights in self.disc_heights.items():
            for place, value in zip(("anterior", "middle", "posterior"), heights, strict=True):
                values[f"disc_heights.{level}.{place}"] = value
        return values


def _slope(endplate: Points) -> float:
    """Return how far an endplate (anterior, posterior end) slopes down to anterior, degrees."""
    forward, upward = endplate[0] - endplate[1]
    return float(np.degrees(np.arctan2(-upward, forward)))


def parameters_of(corners: Points, sacrum: Points, hip: Points) -> Parameters:
    """Return the parameters of points (anterior, superior), mm.

    Parameters
    ----------
    corners : shape (5, 4, 2)
    sacrum : shape (2, 2); anterior and posterior end of the S1 endplate
    hip : shape (2,); middle of the hip axis
    """
    ss = _slope(sacrum)
    s1 = sacrum.mean(0)
    forward, upward = hip - s1
    pt = float(np.degrees(np.arctan2(forward, -upward)))
    tops = [_slope(corners[level, :2]) for level in range(5)] + [ss]
    lower = [*corners[1:, :2], sacrum]
    heights = {}
    for level, name in enumerate(LEVELS):
        above, below = corners[level, 2:], lower[level]
        angle = np.radians((_slope(above) + _slope(below)) / 2)
        # Across the plane amid the endplates, so that a slip is no height.
        across = (above - below) @ [np.sin(angle), np.cos(angle)]
        heights[name] = (float(across[0]), float(across.mean()), float(across[1]))
    # Between the lines from the hip axis to the middles of L1 and of the S1 endplate.
    l1 = corners[0].mean(0) - hip
    sacral = s1 - hip
    l1pa = float(np.degrees(np.arctan2(l1[0], l1[1]) - np.arctan2(sacral[0], sacral[1])))
    return Parameters(
        pt=pt,
        ss=ss,
        ll=ss - tops[0],
        segmental={name: tops[level + 1] - tops[level] for level, name in enumerate(LEVELS)},
        disc_heights=heights,
        l4_s1=ss - tops[3],
        l1pa=l1pa,
    )


def own_parameters(plane: Sagittal) -> Parameters:
    """Return the parameters of the midsagittal plane."""
    return parameters_of(plane.corners, plane.sacrum, plane.hip)


def _ends(rim: Points, front: int, back: int) -> Points:
    """Return the ends of a projected rim, farthest to anterior and to posterior along it, shape (2, 2)."""
    direction = rim[front] - rim[back]
    for _ in range(3):
        reach = rim @ (direction / np.linalg.norm(direction))
        ends = np.stack([rim[reach.argmax()], rim[reach.argmin()]])
        direction = ends[0] - ends[1]
    return ends


def _fine(rim: Points, times: int = 8) -> Points:
    """Return a closed polygon with its sides divided."""
    parts = np.arange(times)[None, :, None] / times
    return ((1 - parts) * rim[:, None] + parts * np.roll(rim, -1, 0)[:, None]).reshape(-1, rim.shape[-1])


def landmarks_on(patient: Patient, view: View) -> Landmarks:
    """Return the corners of the silhouettes without osteophytes, and the heads, on a film."""
    found = Landmarks()

    def seen(rim: Points) -> Points:
        fine = _fine(rim)
        # In mm, for pixels need not be square.
        flat = view.project(fine) * np.array(view.spacing[::-1])
        return np.asarray(_ends(flat, 0, len(flat) // 2) / np.array(view.spacing[::-1]))

    for level, body in enumerate(patient.bodies):
        found.vertebrae[level, :2] = seen(body.rims[0])
        found.vertebrae[level, 2:] = seen(body.rims[1])
    found.sacrum[:] = seen(patient.sacrum.rim)
    found.heads[:] = view.project(patient.head_centres)
    for side, centre in enumerate(patient.head_centres):
        depth = centre[0] - view.beam.source[0]
        plane = -view.beam.source[0]
        found.radii[side] = patient.person.head_radius * plane / depth / view.spacing[0]
    return found


def parameters_on(landmarks: Landmarks, view: View) -> Parameters:
    """Return the parameters as they are on a film, where the beam spreads and the film may be turned."""
    row, column = view.spacing
    # The image's y runs down; anterior is where the patient looks to.
    scale = np.array([column if view.facing == "right" else -column, -row])
    return parameters_of(
        landmarks.vertebrae * scale, landmarks.sacrum * scale, landmarks.heads.mean(0) * scale
    )
