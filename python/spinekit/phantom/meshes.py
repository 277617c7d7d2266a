"""Closed surfaces that bones and bodies are made of; triangles counterclockwise as seen from outside."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinekit import _core

Points = NDArray[np.float64]
Triangles = NDArray[np.int32]


def _cross(a: Points, b: Points) -> Points:
    """Return cross products of rows; several times as fast as `numpy.cross` for these sizes."""
    x, y, z = a.T
    u, v, w = b.T
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], 1)


@dataclass(eq=False)
class Surface:
    """A closed surface: vertices, shape (n, 3), mm; triangles, shape (m, 3)."""

    vertices: Points
    triangles: Triangles

    def volume(self) -> float:
        """Return the enclosed volume in cubic mm; negative where the triangles are clockwise."""
        a, b, c = (self.vertices[self.triangles[:, k]] for k in range(3))
        return float((a * _cross(b, c)).sum() / 6)

    def moved(self, vertices: Points) -> "Surface":
        """Return the surface with its vertices elsewhere; not mirrored."""
        return Surface(np.ascontiguousarray(vertices, np.float64), self.triangles)

    def inset(self, thickness: float) -> "Surface":
        """Return the surface moved inwards by `thickness` mm, each vertex along its normal."""
        a, b, c = (self.vertices[self.triangles[:, k]] for k in range(3))
        faces = np.repeat(_cross(b - a, c - a), 3, axis=0)
        corners = self.triangles.ravel()
        count = len(self.vertices)
        sums = np.stack([np.bincount(corners, faces[:, axis], count) for axis in range(3)], 1)
        normals = sums / np.maximum(np.sqrt((sums**2).sum(1, keepdims=True)), 1e-12)
        return self.moved(self.vertices - thickness * normals)

    @functools.cached_property
    def engine(self) -> _core.Mesh:
        """The surface as the engine takes it."""
        return _core.Mesh(np.ascontiguousarray(self.vertices), np.ascontiguousarray(self.triangles))


def joined(surfaces: Sequence[Surface]) -> Surface:
    """Return several surfaces as one; where they overlap, rays count twice."""
    offsets = np.cumsum([0, *(len(surface.vertices) for surface in surfaces[:-1])])
    triangles = [surface.triangles + offset for surface, offset in zip(surfaces, offsets, strict=True)]
    return Surface(
        np.concatenate([surface.vertices for surface in surfaces]), np.concatenate(triangles).astype(np.int32)
    )


@functools.lru_cache(maxsize=64)
def _loft_triangles(count: int, around: int) -> Triangles:
    here = np.arange(around)
    there = (here + 1) % around
    faces = []
    for ring in range(count - 1):
        low, high = ring * around, (ring + 1) * around
        faces.append(np.stack([low + here, low + there, high + there], 1))
        faces.append(np.stack([low + here, high + there, high + here], 1))
    first, last = count * around, count * around + 1
    faces.append(np.stack([np.full(around, first), there, here], 1))
    top = (count - 1) * around
    faces.append(np.stack([np.full(around, last), top + here, top + there], 1))
    triangles = np.concatenate(faces).astype(np.int32)
    triangles.flags.writeable = False
    return triangles


def loft(rings: ArrayLike) -> Surface:
    """Return the surface through rings of points, its ends closed.

    Parameters
    ----------
    rings : shape (rings, points, 3), from one end to the other; ends that are no points are closed with a
        point in their middle
    """
    points = np.asarray(rings, np.float64)
    count, around = points.shape[:2]
    vertices = np.concatenate([points.reshape(-1, 3), points[0].mean(0)[None], points[-1].mean(0)[None]])
    surface = Surface(vertices, _loft_triangles(count, around))
    if surface.volume() < 0:
        surface.triangles = np.ascontiguousarray(surface.triangles[:, ::-1])
    return surface


def ellipsoid(centre: ArrayLike, half_axes: ArrayLike, *, around: int = 22, along: int = 12) -> Surface:
    """Return an ellipsoid; `half_axes`, shape (3, 3), are vectors from the centre to the surface."""
    polar = np.linspace(0, np.pi, along + 1)[1:-1, None]
    turn = np.arange(around)[None] * (2 * np.pi / around)
    unit = np.stack(
        [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn], axis=-1
    )
    axes = np.asarray(half_axes, np.float64)
    surface = loft(unit @ axes)
    surface.vertices[-2:] = np.stack([axes[2], -axes[2]])
    return Surface(surface.vertices + np.asarray(centre, np.float64), surface.triangles)


def tube(points: ArrayLike, radii: ArrayLike, *, around: int = 16) -> Surface:
    """Return a tube along a way, its ends rounded off.

    Parameters
    ----------
    points : shape (n, 3), mm
    radii : shape (n,) or one number, mm
    """
    way = np.asarray(points, np.float64)
    widths = np.broadcast_to(np.asarray(radii, np.float64), len(way))
    tangents = np.gradient(way, axis=0)
    tangents /= np.sqrt((tangents**2).sum(1, keepdims=True))
    side = np.eye(3)[np.argmin(np.abs(tangents[0]))]
    turn = np.arange(around) * (2 * np.pi / around)
    rings = []
    for place, tangent, width in zip(way, tangents, widths, strict=True):
        side = side - (side @ tangent) * tangent
        side = side / np.sqrt(side @ side)
        other = np.array([
            tangent[1] * side[2] - tangent[2] * side[1],
            tangent[2] * side[0] - tangent[0] * side[2],
            tangent[0] * side[1] - tangent[1] * side[0],
        ])  # fmt: skip
        rings.append((place, tangent, width, np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * other))
    caps = np.array([0.95, 0.8, 0.5])
    start, end = rings[0], rings[-1]
    out = [start[0] - start[1] * start[2] * c + start[3] * start[2] * np.sqrt(1 - c * c) for c in caps]
    out += [place + width * circle for place, _, width, circle in rings]
    out += [end[0] + end[1] * end[2] * c + end[3] * end[2] * np.sqrt(1 - c * c) for c in caps[::-1]]
    return loft(out)


def box(centre: ArrayLike, half_axes: ArrayLike, *, bevel: float = 0.12) -> Surface:
    """Return a box with bevelled edges along the third of its axes; `half_axes`, shape (3, 3)."""
    a, b, c = np.asarray(half_axes, np.float64)
    inner = 1 - bevel
    corners = [
        (1, -inner),
        (1, inner),
        (inner, 1),
        (-inner, 1),
        (-1, inner),
        (-1, -inner),
        (-inner, -1),
        (inner, -1),
    ]
    outline = np.array([p * a + q * b for p, q in corners])
    middle = np.asarray(centre, np.float64)
    return loft(
        [
            middle - c + inner * outline,
            middle - inner * c + outline,
            middle + inner * c + outline,
            middle + c + inner * outline,
        ]
    )
