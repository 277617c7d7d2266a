"""Lumbar bodies and sacrum in the sagittal plane, and as surfaces in the patient."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinekit.phantom.meshes import Surface, loft
from spinekit.phantom.population import Person

Points = NDArray[np.float64]

_AROUND = 56
_SQUARENESS = 2 / 2.3
#: Between the S1 endplate and the posterior wall, degrees; 101.8 on average without spondylolysis and 95.4
#: with (Baker, Asian Spine J 2022;16, doi 10.31616/asj.2020.0442).
_SACRAL_TABLE = 99.0
#: Heights, as parts of the body's, at which its wall bends.
_LEVELS = np.array([0, 0.04, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.96, 1.0])


def along(slope: float) -> Points:
    """Return the direction (anterior, superior) of an endplate that slopes down to anterior, degrees."""
    angle = np.radians(slope)
    return np.array([np.cos(angle), -np.sin(angle)])


def up(slope: float) -> Points:
    """Return the upward normal (anterior, superior) of such an endplate."""
    angle = np.radians(slope)
    return np.array([np.sin(angle), np.cos(angle)])


@dataclass(eq=False)
class Sagittal:
    """The midsagittal plane: (anterior, superior) mm, the middle of the S1 endplate at the origin.

    Attributes
    ----------
    corners : shape (5, 4, 2); L1 to L5, in the order of `spinekit.measurement.CORNERS`
    slopes : shape (5, 2), degrees; of the superior and inferior endplates, down to anterior
    sacrum : shape (2, 2); anterior and posterior end of the S1 endplate
    hip : shape (2,); middle of the hip axis
    """

    corners: Points
    slopes: Points
    sacrum: Points
    hip: Points

    @classmethod
    def of(cls, person: Person) -> "Sagittal":
        """Stack the spine on the sacrum."""
        corners, slopes = np.empty((5, 4, 2)), np.empty((5, 2))
        middle, slope = np.zeros(2), person.ss
        wedges = person.disc_wedges
        for level in range(4, -1, -1):
            below = slope
            slope = below - wedges[level]
            middle = (
                middle
                + person.disc_heights[level] * up((below + slope) / 2)
                + person.slips[level] * along(below)
            )
            half = person.depths[1, level] / 2 * along(slope)
            corners[level, 2:] = middle + half, middle - half
            slopes[level, 1] = slope
            top = slope - person.body_wedges[level]
            posterior = corners[level, 3] + person.posterior_heights[level] * up((slope + top) / 2)
            anterior = posterior + person.depths[0, level] * along(top)
            corners[level, :2] = anterior, posterior
            slopes[level, 0] = slope = top
            middle = (anterior + posterior) / 2
        half = person.sacral_depth / 2 * along(person.ss)
        tilt = np.radians(person.pt)
        hip = person.hip_distance * np.array([np.sin(tilt), -np.cos(tilt)])
        return cls(corners, slopes, np.stack([half, -half]), hip)


def _power(values: Points, exponent: float) -> Points:
    return np.asarray(np.sign(values) * np.abs(values) ** exponent)


def outline(depth: float, width: float, around: int = _AROUND) -> Points:
    """Return an endplate's rim: (anterior, left) mm, shape (around, 2), from anterior over left."""
    turn = np.arange(around) * (2 * np.pi / around)
    forward = depth / 2 * _power(np.cos(turn), _SQUARENESS)
    left = width / 2 * _power(np.sin(turn), _SQUARENESS)
    return np.stack([forward, left], 1)


@dataclass(eq=False)
class Placement:
    """Where a vertebra stands in the patient: turned about its middle, and shifted to the left.

    Attributes
    ----------
    middle : shape (2,); (anterior, superior) about which it turns
    left : mm
    roll, turn : degrees; about the anterior and about the superior axis
    """

    middle: Points = field(default_factory=lambda: np.zeros(2))
    left: float = 0.0
    roll: float = 0.0
    turn: float = 0.0

    def __call__(self, points: ArrayLike) -> Points:
        """Return (anterior, left, superior) points of the model as they stand in the patient."""
        p = np.asarray(points, np.float64)
        forward = p[..., 0] - self.middle[0]
        left = p[..., 1]
        upward = p[..., 2] - self.middle[1]
        c, s = np.cos(np.radians(self.turn)), np.sin(np.radians(self.turn))
        forward, left = c * forward - s * left, s * forward + c * left
        c, s = np.cos(np.radians(self.roll)), np.sin(np.radians(self.roll))
        left, upward = c * left - s * upward, s * left + c * upward
        return np.stack([forward + self.middle[0], left + self.left, upward + self.middle[1]], -1)


def placements(person: Person, plane: Sagittal) -> list[Placement]:
    """Return where L1 to L5 stand: a scoliotic curve with its apex at `person.apex`."""
    middles = plane.corners.mean(1)
    tilts = person.cobb / 2 * np.sin(np.pi * (np.arange(5) - person.apex) / 5)
    turns = 0.5 * person.cobb * np.cos(np.pi * (np.arange(5) - person.apex) / 5)
    heights = np.concatenate([middles[:, 1], [0.0]])
    angles = np.concatenate([np.radians(tilts), [0.0]])
    steps = np.tan((angles[:-1] + angles[1:]) / 2) * (heights[:-1] - heights[1:])
    lefts = -np.cumsum(steps[::-1])[::-1]
    return [
        Placement(middles[level], float(lefts[level]), float(tilts[level]), float(turns[level]))
        for level in range(5)
    ]


@dataclass(eq=False)
class Body:
    """A vertebral body in the patient.

    Attributes
    ----------
    surface : with its osteophytes
    rims : shape (2, points, 3); of the superior and inferior endplate, without osteophytes
    """

    surface: Surface
    rims: Points


def _in_plane(start: Points, end: Points, rim: Points, rise: Points) -> Points:
    """Return a rim's points (anterior, left, superior) on the endplate from posterior `start` to `end`."""
    direction = (end - start) / np.linalg.norm(end - start)
    normal = np.array([-direction[1], direction[0]])
    flat = (start + end) / 2 + rim[:, :1] * direction + rise[:, None] * normal
    return np.stack([flat[:, 0], rim[:, 1], flat[:, 1]], 1)


@dataclass(eq=False)
class BodyShape:
    """What a vertebral body is made from; pairs are (superior, inferior), lengths mm.

    Attributes
    ----------
    corners : shape (4, 2); in the order of `spinekit.measurement.CORNERS`, (anterior, superior)
    widths, saddles : shape (2,)
    beaks : shape (2, 2); osteophytes at the (superior, inferior) x (anterior, posterior) rims
    waist : part that the body is narrower in the middle
    """

    corners: Points
    widths: Points
    saddles: Points
    beaks: Points
    waist: float

    @property
    def slope(self) -> float:
        """Mean slope of the endplates, degrees, down to anterior."""
        ways = (self.corners[0] - self.corners[1]) + (self.corners[2] - self.corners[3])
        return float(np.degrees(np.arctan2(-ways[1], ways[0])))

    @classmethod
    def of(cls, person: Person, plane: Sagittal, level: int) -> "BodyShape":
        """Return the shape of L1 (level 0) to L5 (level 4)."""
        return cls(
            plane.corners[level],
            person.widths[:, level],
            person.saddles[level],
            person.osteophytes[level],
            float(person.waists[level]),
        )


def _dish(rim: Points, depth: float, upward: Points) -> list[Points]:
    """Return an endplate within its rim: rings towards its middle, `depth` mm deep."""
    middle = rim.mean(0)
    parts = ((0.86, 0.0), (0.6, 0.6), (0.3, 0.95))
    return [middle + part * (rim - middle) + sunk * depth * upward for part, sunk in parts]


def vertebral_body(shape: BodyShape, place: Placement) -> Body:
    """Return a vertebral body as it stands in the patient."""
    turn = np.arange(_AROUND) * (2 * np.pi / _AROUND)
    rims = []
    for side, sign in ((0, -1.0), (1, 1.0)):
        anterior, posterior = shape.corners[2 * side : 2 * side + 2]
        rim = outline(float(np.linalg.norm(anterior - posterior)), float(shape.widths[side]))
        rims.append(_in_plane(posterior, anterior, rim, sign * shape.saddles[side] * np.sin(turn) ** 2))
    superior, inferior = rims
    forward = np.insert(along(shape.slope), 1, 0.0)
    upward = np.insert(up(shape.slope), 1, 0.0)
    to_front = np.minimum(turn, 2 * np.pi - turn)
    bumps = np.stack([np.exp(-((to_front / 0.55) ** 2)), np.exp(-(((np.pi - to_front) / 0.5) ** 2))])
    depth = float(np.linalg.norm(shape.corners[0] - shape.corners[1]))
    hollow = np.where(np.cos(turn) < 0, 0.05 * depth * np.exp(-((np.sin(turn) / 0.5) ** 2)), 0)
    rings = []
    for height in _LEVELS:
        ring = (1 - height) * inferior + height * superior
        middle = ring.mean(0)
        waist = 1 - np.abs(2 * height - 1) ** 2.5
        ring = middle + (1 - shape.waist * waist) * (ring - middle)
        # Towards the canal the wall is hollow between the rims.
        ring = ring + waist * hollow[:, None] * forward
        for side, near in ((0, height), (1, 1 - height)):
            grown = np.clip((near - 0.76) / 0.24, 0, 1) ** 2 * (shape.beaks[side] * [1.0, -1.0]) @ bumps
            curl = 0.35 * (1 if side == 0 else -1) * np.abs(grown)
            ring = ring + grown[:, None] * forward + curl[:, None] * upward
        rings.append(ring)
    rings = _dish(rings[0], 1.2, upward)[::-1] + rings + _dish(rings[-1], -1.0, upward)
    return Body(loft([place(ring) for ring in rings]), np.stack([place(superior), place(inferior)]))


@dataclass(eq=False)
class Sacrum:
    """The sacral bodies S1 to S5 in the patient.

    Attributes
    ----------
    surface : of the five bodies
    rim : shape (points, 3); of the S1 endplate
    way : shape (n, 2); the bodies' middle line from S1 down, (anterior, superior)
    """

    surface: Surface
    rim: Points
    way: Points


def sacral_bodies(person: Person, plane: Sagittal, length: float = 108.0, curve: float = 68.0) -> Sacrum:
    """Return the sacrum: `length` mm along its middle, bent by `curve` degrees, hollow to anterior."""
    parts = np.linspace(0, 1, 25)
    # S1 and S2 are nearly straight, the bend is below.
    back = _SACRAL_TABLE - 90
    angles = np.radians(-90 - person.ss - back + curve * np.clip((parts - 0.12) / 0.88, 0, 1) ** 1.3)
    step = length / (len(parts) - 1)
    directions = np.stack([np.cos(angles), np.sin(angles)], 1)
    way = np.concatenate([np.zeros((1, 2)), np.cumsum(step * (directions[:-1] + directions[1:]) / 2, axis=0)])
    depths = person.sacral_depth * np.interp(
        parts, [0, 0.12, 0.3, 0.5, 0.75, 1], [1, 0.82, 0.62, 0.5, 0.36, 0.2]
    )
    widths = person.sacral_width * np.interp(parts, [0, 0.3, 0.6, 1], [1, 0.75, 0.6, 0.35])
    rings = []
    # Across the way, but at its top in the plane of the endplate.
    across = angles + np.radians(90 + back * np.clip(1 - parts / 0.12, 0, 1))
    for centre, angle, depth, width in zip(way, across, depths, widths, strict=True):
        forward = np.array([np.cos(angle), np.sin(angle)])
        # The posterior wall keeps its line, the pelvic face comes back.
        shifted = centre - 0.45 * (person.sacral_depth - depth) * forward
        rim = outline(depth, width)
        flat = shifted + rim[:, :1] * forward
        rings.append(np.stack([flat[:, 0], rim[:, 1], flat[:, 1]], 1))
    top = rings[0]
    middle = top.mean(0)
    dish = [middle + part * (top - middle) for part in (0.3, 0.7)]
    return Sacrum(loft(dish + rings), top, way)
