"""Metal as surgeons place it: pedicle screws and rods, cages, an anterior plate."""

import numpy as np
from numpy.typing import NDArray

from spinekit.phantom.frames import Frame
from spinekit.phantom.meshes import Surface, box, tube
from spinekit.phantom.patient import Patient
from spinekit.phantom.spinal_column import Placement, up
from spinekit.phantom.tissues import COBALT, TITANIUM, Material, Tissue

Points = NDArray[np.float64]

#: Which levels are fused, 0 is L1 and 5 is S1, and how often.
_FUSIONS = {(4, 5): 0.25, (3, 4): 0.22, (3, 5): 0.23, (2, 4): 0.1, (2, 5): 0.1, (1, 5): 0.05, (0, 5): 0.05}


def _frames(patient: Patient) -> list[Frame]:
    """Return the axes of L1 to S1."""
    plane = patient.plane
    frames = [Frame(corners, place) for corners, place in zip(plane.corners, patient.places, strict=True)]
    below = plane.sacrum - 30 * up(patient.person.ss)
    s1 = np.concatenate([plane.sacrum, below])
    return [*frames, Frame(s1, Placement(s1.mean(0)))]


def _screw(
    frame: Frame, side: float, rng: np.random.Generator, radius: float
) -> tuple[list[Surface], Points]:
    """Return a pedicle screw, and where its head holds the rod (model points)."""
    back, high = -frame.depth / 2, frame.height
    entry = np.array([back - 15, side * rng.normal(17, 1.0), rng.normal(0.24, 0.03) * high])
    tip = np.array(
        [rng.uniform(0.12, 0.32) * frame.depth, side * rng.normal(7, 1.5), rng.normal(0.1, 0.06) * high]
    )
    shank = entry + np.linspace(0, 1, 40)[:, None] * (tip - entry)
    # The thread shows as a comb along the shank.
    widths = radius - 0.5 * (np.arange(40) % 2) - 0.6 * np.linspace(0, 1, 40) ** 6
    way = (entry - tip) / np.linalg.norm(entry - tip)
    head = np.stack([entry - 1 * way, entry + 11 * way])
    return [
        tube(frame(shank), widths, around=14),
        tube(frame(head), 5.6, around=18),
    ], frame(entry + 6 * way)


def _rod(holds: Points, radius: float) -> Surface:
    """Return a rod through the screws' heads, a little longer at both ends."""
    from scipy.interpolate import make_interp_spline  # noqa: PLC0415 - scipy takes long to import

    start = holds[0] + 9 * (holds[0] - holds[1]) / np.linalg.norm(holds[0] - holds[1])
    end = holds[-1] + 9 * (holds[-1] - holds[-2]) / np.linalg.norm(holds[-1] - holds[-2])
    points = np.concatenate([start[None], holds, end[None]])
    at = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    spline = make_interp_spline(at, points, k=min(3, len(points) - 1))
    return tube(spline(np.linspace(0, at[-1], 40)), radius, around=16)


def _cage(upper: Frame, lower: Frame, height: float, rng: np.random.Generator) -> list[Surface]:
    """Return an interbody cage: a frame of four walls between two endplates."""
    high = max(height - 1.0, 3.0)
    middle = (upper(np.array([0, 0, -upper.height / 2])) + lower(np.array([0, 0, lower.height / 2]))) / 2
    length, width = rng.uniform(11, 15), rng.uniform(7, 14)
    axes = (upper.axes([1, 1, 1]) + lower.axes([1, 1, 1])) / 2
    middle = middle + axes[0] * rng.uniform(-3, 4)
    walls = []
    for side in (1.0, -1.0):
        walls.append(
            box(
                middle + axes[0] * side * (length - 1.2),
                np.stack([axes[0] * 1.2, axes[1] * width, axes[2] * high / 2]),
            )
        )
        walls.append(
            box(
                middle + axes[1] * side * (width - 1.2),
                np.stack([axes[0] * length, axes[1] * 1.2, axes[2] * high / 2]),
            )
        )
    return walls


def _plate(upper: Frame, lower: Frame, rng: np.random.Generator) -> list[Surface]:
    """Return a plate before two bodies, with its four screws."""
    ends = [
        upper(np.array([upper.depth / 2 + 2.0, 0, rng.uniform(-0.3, -0.1) * upper.height])),
        lower(np.array([lower.depth / 2 + 2.0, 0, rng.uniform(0.1, 0.3) * lower.height])),
    ]
    middle, half = (ends[0] + ends[1]) / 2, (ends[0] - ends[1]) / 2
    across = np.array([0, 11.0, 0])
    normal = np.cross(half, across)
    normal *= 1.3 / np.linalg.norm(normal)
    parts = [box(middle, np.stack([normal, across, half * 1.15]))]
    for end, frame in zip(ends, (upper, lower), strict=True):
        inwards = -frame.axes([1, 1, 1])[0]
        for side in (6.5, -6.5):
            start = end + np.array([0, side, 0])
            parts.append(tube(np.stack([start, start + 24 * inwards]), [2.4, 1.6], around=12))
    return parts


def implants(patient: Patient, seed: int) -> list[Tissue]:
    """Return the metal of an instrumented spine; the seed decides which.

    Pedicle screws with two rods over two to six levels, in most cases with cages in their discs; or a plate
    before L4/L5 or L5/S1 with a cage.
    """
    rng = np.random.default_rng([seed, 6])
    frames = _frames(patient)
    heights = patient.person.disc_heights
    found: list[Tissue] = []

    def add(name: str, parts: list[Surface], material: Material = TITANIUM) -> None:
        found.extend(Tissue(name, patient.stand(part), material) for part in parts)

    if rng.random() < 0.12:
        level = int(rng.integers(3, 5))
        add("plate", _plate(frames[level], frames[level + 1], rng))
        add("cage", _cage(frames[level], frames[level + 1], float(heights[level]), rng))
        return found
    choices = list(_FUSIONS)
    top, bottom = choices[int(rng.choice(len(choices), p=np.array(list(_FUSIONS.values()))))]
    radius = float(rng.uniform(2.6, 3.4))
    rod_material = COBALT if rng.random() < 0.3 else TITANIUM
    for side, word in ((1.0, "left"), (-1.0, "right")):
        holds = []
        for level in range(top, bottom + 1):
            parts, hold = _screw(frames[level], side, rng, radius)
            add(f"screw {word}", parts)
            holds.append(hold)
        add(f"rod {word}", [_rod(np.array(holds), float(rng.choice([2.75, 3.0])))], rod_material)
    if rng.random() < 0.7:
        for level in range(top, bottom):
            if rng.random() < 0.75:
                add("cage", _cage(frames[level], frames[level + 1], float(heights[level]), rng))
    return found
