"""Sacral wings, hip bones and femurs around the measured sacrum and heads."""

import numpy as np
from numpy.typing import NDArray

from spinekit.phantom.meshes import Surface, ellipsoid, joined, loft, tube
from spinekit.phantom.patient import Patient
from spinekit.phantom.spinal_column import along, up
from spinekit.phantom.tissues import SPONGIOSA, Tissue

Points = NDArray[np.float64]

#: The blade of the ilium about the hip, (anterior, superior, left) mm; S1 lies straight above.
_BLADE = np.array([
    [24, 20, 88], [31, 34, 98], [44, 46, 112], [56, 62, 126], [54, 84, 134], [40, 108, 138],
    [14, 124, 132], [-14, 124, 112], [-40, 112, 80], [-58, 98, 56], [-66, 82, 45], [-60, 66, 44],
    [-46, 60, 52], [-34, 50, 64], [-28, 34, 76], [-22, 14, 84], [0, 10, 88],
], float)  # fmt: skip


def _smooth(points: Points, count: int) -> Points:
    """Return `count` points of a smooth closed line through `points`."""
    from scipy.interpolate import CubicSpline  # noqa: PLC0415 - scipy takes long to import

    closed = np.concatenate([points, points[:1]])
    at = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    spline = CubicSpline(at, closed, bc_type="periodic")
    return np.asarray(spline(np.arange(count) * at[-1] / count))


def _blade(side: float) -> Surface:
    """Return the ilium's blade: thin in its middle, thick at its edge."""
    edge = _smooth(_BLADE, 56)
    middle = edge.mean(0)
    rings = []
    for face in (-1.0, 1.0):
        sheet = []
        for part, thickness in ((0.15, 4.0), (0.5, 4.5), (0.8, 7.0), (0.94, 10.0), (1.0, 6.0)):
            ring = middle + part * (edge - middle)
            # The blade is hollow towards the inside.
            ring = ring + np.array([0, 0, face * thickness / 2 + 9 * (1 - part**2)])
            sheet.append(ring)
        rings += sheet if face < 0 else sheet[::-1]
    out = np.array(rings)
    out[..., 2] *= side
    return loft(out[..., [0, 2, 1]])


def _cup(radius: float, axis: Points) -> Surface:
    """Return a hemispherical shell around the origin, open to `axis`."""
    axis = axis / np.linalg.norm(axis)
    first = np.cross(axis, [1.0, 0, 0])
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    turn = np.arange(32) * (2 * np.pi / 32)
    circle = np.cos(turn)[:, None] * first + np.sin(turn)[:, None] * second
    angles = np.radians(np.linspace(4, 84, 8))
    inner = [radius * (np.sin(a) * circle - np.cos(a) * axis) for a in angles]
    outer = [(radius + 5) * (np.sin(a) * circle - np.cos(a) * axis) for a in angles[::-1]]
    return loft(inner + outer)


class _Pelvis:
    """Model points from points about the hip, (anterior, left, superior), in the pelvis' own frame."""

    def __init__(self, patient: Patient) -> None:
        hip = patient.plane.hip
        self.hip = hip
        self.upward = -hip / np.linalg.norm(hip)
        self.forward = np.array([self.upward[1], -self.upward[0]])
        self.scale = float(np.linalg.norm(hip) / 104)
        self.across = patient.person.hips_apart / 172

    def __call__(self, points: NDArray[np.float64]) -> Points:
        p = np.asarray(points, np.float64) * np.array([self.scale, self.across, self.scale])
        flat = self.hip + p[..., :1] * self.forward + p[..., 2:] * self.upward
        return np.stack([flat[..., 0], p[..., 1], flat[..., 1]], -1)


def _hip_bone(pelvis: _Pelvis, side: float, radius: float) -> list[Surface]:
    def way(*points: tuple[float, float, float]) -> Points:
        return pelvis(np.array(points) * np.array([1, side, 1]))

    centre = way((0, 86, 0))[0]
    cup = _cup(radius + 3.0, np.array([0.25, side * 0.85, -0.45]))
    blade = _blade(side)
    thick = pelvis.scale
    behind = way((-22, 84, 24), (-33, 80, 0), (-32, 72, -32), (-26, 64, -62))
    upper = way((24, 84, 16), (38, 58, -12), (52, 24, -36), (56, 7, -46))
    lower = way((-24, 64, -64), (8, 40, -72), (44, 14, -66), (55, 7, -52))
    return [
        blade.moved(pelvis(blade.vertices)),
        cup.moved(cup.vertices + centre),
        tube(behind, np.array([9.0, 10.0, 11.0, 13.0]) * thick),
        tube(upper, np.array([10.0, 7.5, 7.5, 10.0]) * thick),
        tube(lower, np.array([11.0, 6.0, 6.0, 8.0]) * thick),
    ]


def _femur(centre: Points, side: float, radius: float) -> list[Surface]:
    def way(*points: tuple[float, float, float]) -> Points:
        return np.asarray(centre + np.array(points) * np.array([1, side, 1]))

    size = radius / 24
    return [
        tube(way((-2, 8, -6), (-7, 24, -19), (-11, 40, -32)), np.array([15, 13.5, 17]) * size),
        ellipsoid(way((-16, 47, -20))[0], np.diag([15.0, 13.0, 22.0]) * size),
        tube(
            way((-11, 42, -34), (-8, 44, -80), (-3, 42, -140), (2, 38, -230)),
            np.array([17, 15.5, 14, 14]) * size,
        ),
    ]


def _sacral_wings(patient: Patient) -> list[Tissue]:
    person, way = patient.person, patient.sacrum.way
    down, forward = -up(person.ss), along(person.ss)
    wide = person.sacral_width / 52
    found = []
    for side in (1.0, -1.0):
        middle = 24 * down - 6 * forward
        centre = np.array([middle[0], side * 38 * wide, middle[1]])
        axes = np.array([
            14 * np.insert(forward, 1, 0.0), [0, side * 24 * wide, 0], 27 * np.insert(down, 1, 0.0),
        ])  # fmt: skip
        found.append(Tissue("sacral wing", patient.stand(ellipsoid(centre, axes)), SPONGIOSA, cortex=0.35))
    # The median crest follows the canal; the coccyx goes on where the bodies end.
    directions = np.gradient(way, axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    behind = np.stack([directions[:, 1], -directions[:, 0]], 1)
    gap = person.sacral_depth * np.interp(np.linspace(0, 1, len(way)), [0, 0.3, 1], [0.92, 0.72, 0.32])
    crest = (way + gap[:, None] * behind)[3:21:3]
    line = np.stack([crest[:, 0], np.zeros(len(crest)), crest[:, 1]], 1)
    found.append(
        Tissue(
            "sacral crest", patient.stand(tube(line, np.linspace(5.5, 3.0, len(line)))), SPONGIOSA, cortex=0.8
        )
    )
    end, direction = way[-1], directions[-1]
    segments = []
    for number in range(3):
        turned = direction + 0.25 * number * np.array([-direction[1], direction[0]])
        end = end + (11 - 2 * number) * turned / np.linalg.norm(turned)
        axes = np.diag([3.6 - 0.6 * number, 6 - number, 5.0 - 0.8 * number])
        segments.append(ellipsoid([end[0], 0, end[1]], axes, around=12, along=8))
    found.append(Tissue("coccyx", patient.stand(joined(segments)), SPONGIOSA, cortex=0.6))
    return found


def pelvic_tissues(patient: Patient) -> list[Tissue]:
    """Return sacral wings, crest and coccyx, hip bones, and femurs without their heads."""
    found = _sacral_wings(patient)
    pelvis = _Pelvis(patient)
    radius = patient.person.head_radius
    for side, word in ((1.0, "left"), (-1.0, "right")):
        bone = patient.stand(joined(_hip_bone(pelvis, side, radius)))
        found.append(Tissue(f"hip bone {word}", bone, SPONGIOSA, cortex=1.0))
        centre = np.array([patient.plane.hip[0], side * patient.person.hips_apart / 2, patient.plane.hip[1]])
        *proximal, shaft = _femur(centre, side, radius)
        found += [
            Tissue(f"femur {word}", patient.stand(joined(proximal)), SPONGIOSA, cortex=1.0),
            Tissue(f"femur {word}", patient.stand(shaft), SPONGIOSA, cortex=4.5),
        ]
    return found
