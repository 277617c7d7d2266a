"""Skin, fat, organs and gas around the spine."""

import numpy as np
from numpy.typing import NDArray

from spinekit.phantom.meshes import Surface, ellipsoid, joined, loft, tube
from spinekit.phantom.patient import Patient
from spinekit.phantom.tissues import AIR, CORTEX, FAT, SOFT, Material, Tissue

Points = NDArray[np.float64]

_LIVER = Material("liver", 60)


#: From the hips to the ribs: height over S1, half width, front and back from the spine's line, belly's share.
_PROFILE = np.array([
    [-300, 165, 92, -105, 0.0], [-200, 178, 98, -118, 0.1], [-120, 182, 102, -122, 0.4],
    [-60, 172, 108, -106, 0.8], [0, 160, 116, -92, 1.0], [60, 150, 118, -88, 1.0],
    [130, 148, 116, -90, 0.8], [200, 152, 112, -96, 0.5], [280, 156, 108, -100, 0.3],
    [360, 158, 106, -104, 0.2],
], float)  # fmt: skip


class _Line:
    """Where the trunk's middle runs: it follows spine and hips."""

    def __init__(self, patient: Patient) -> None:
        plane = patient.plane
        middles = plane.corners.mean(1)[::-1]
        top = middles[-1]
        # Above L1 the trunk is upright again.
        points = np.array([
            [plane.hip[0] - 18, -320], [plane.hip[0] - 18, plane.hip[1]], [0, 0], *middles,
            [top[0] + 0.25 * (top[0] - middles[-2][0]), top[1] + 60], [top[0], top[1] + 160],
        ])  # fmt: skip
        self._heights, self._forward = points[:, 1], points[:, 0]

    def __call__(self, height: float) -> float:
        return float(np.interp(height, self._heights, self._forward))


def _shell(profile: Points) -> Surface:
    turn = np.arange(72) * (2 * np.pi / 72)
    square = 2 / 2.4
    rings = []
    for height, width, front, back in profile:
        middle, reach = (front + back) / 2, (front - back) / 2
        forward = middle + reach * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** square
        left = width * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** square
        rings.append(np.stack([forward, left, np.full_like(turn, height)], 1))
    return loft(rings)


def _profile(patient: Patient, thick: float, belly: float) -> Points:
    """Return (height, half width, front, back) of the trunk within its fat, smooth over the height."""
    from scipy.interpolate import make_interp_spline  # noqa: PLC0415 - scipy takes long to import

    heights = np.linspace(_PROFILE[0, 0], _PROFILE[-1, 0], 34)
    width, front, back, share = make_interp_spline(_PROFILE[:, 0], _PROFILE[:, 1:], k=3)(heights).T
    line_at = _Line(patient)
    line = make_interp_spline(_PROFILE[:, 0], [line_at(height) for height in _PROFILE[:, 0]], k=3)(heights)
    return np.stack([heights, thick * width, line + thick * front + belly * share, line + back], 1)


def trunk_tissues(patient: Patient, rng: np.random.Generator) -> list[Tissue]:
    """Return the trunk, outermost first: fat, what it encloses, liver, gas, calcified vessel."""
    thick = float(rng.normal(1.0, 0.08))
    fat = float(np.clip(rng.normal(20, 8), 6, 45))
    belly = float(rng.uniform(0, 35)) * thick
    inner = _profile(patient, thick, belly)
    outer = inner + np.array([0, fat, fat, -0.6 * fat])
    line = _Line(patient)
    found = [
        Tissue("fat", patient.stand(_shell(outer)), FAT, within=AIR),
        Tissue("trunk", patient.stand(_shell(inner)), SOFT, within=FAT),
    ]
    liver = np.array([line(250) + 50, -70, 250])
    found.append(Tissue("liver", patient.stand(ellipsoid(liver, np.diag([60.0, 75, 70]))), _LIVER))
    for side in (1.0, -1.0):
        for low in (0, 1):
            height = 95 - 95 * low
            middle = [line(height) + 26 - 12 * low, side * (38 + 8 * low), height]
            strip = ellipsoid(middle, np.diag([9.0, 9, 62]))
            found.append(Tissue("fat beside the psoas", patient.stand(strip), FAT))
    found += _gas(patient, rng, line, thick * 116 + 0.7 * belly)
    if patient.person.age > 60 and rng.random() < 0.6:
        found += _calcified_aorta(patient, rng)
    return found


def _gas(patient: Patient, rng: np.random.Generator, line: _Line, front: float) -> list[Tissue]:
    found = []
    for _ in range(int(rng.integers(2, 6))):
        height = rng.uniform(-50, 170)
        forward = line(height) + rng.uniform(0.45, 0.8) * front
        middle = np.array([forward, rng.uniform(-85, 85), height])
        bubbles = [
            ellipsoid(middle + rng.normal(0, 12, 3), np.diag(rng.uniform(6, 17, 3)))
            for _ in range(int(rng.integers(2, 5)))
        ]
        found.append(Tissue("gas", patient.stand(joined(bubbles)), AIR))
    # In the rectum, before the sacrum.
    if rng.random() < 0.6:
        bend = patient.sacrum.way[14]
        before = [float(bend[0]) + 32, rng.uniform(-8, 8), float(bend[1]) - 5]
        found.append(Tissue("gas", patient.stand(ellipsoid(before, np.diag(rng.uniform(8, 15, 3)))), AIR))
    return found


def _calcified_aorta(patient: Patient, rng: np.random.Generator) -> list[Tissue]:
    plaques = []
    fronts = patient.plane.corners[:4, [0, 2]].mean(1)
    for wall in (6.0, 24.0):
        for _ in range(int(rng.integers(3, 8))):
            part = rng.uniform(0, 2.9)
            level = int(part)
            start = fronts[level] + (part - level) * (fronts[level + 1] - fronts[level]) + [wall, 0]
            way = np.stack([start, start + np.array([rng.normal(0, 0.6), -rng.uniform(3, 12)])])
            line = np.insert(way, 1, rng.uniform(2, 16), axis=1)
            plaques.append(tube(line, rng.uniform(0.4, 1.0), around=8))
    return [Tissue("calcified aorta", patient.stand(joined(plaques)), CORTEX)]
