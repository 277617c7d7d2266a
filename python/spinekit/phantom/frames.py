"""A vertebra's own axes, in which its parts and its screws are placed."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinekit.phantom.spinal_column import Placement

Points = NDArray[np.float64]


class Frame:
    """A vertebra's own axes: forward, left, up from the middle of its body."""

    def __init__(self, corners: Points, place: Placement) -> None:
        self.middle = corners.mean(0)
        self.depth = float(np.linalg.norm((corners[0] - corners[1] + corners[2] - corners[3]) / 2))
        self.height = float(np.linalg.norm((corners[0] + corners[1] - corners[2] - corners[3]) / 2))
        way = corners[0] - corners[1] + corners[2] - corners[3]
        self.forward = way / np.linalg.norm(way)
        self.upward = np.array([-self.forward[1], self.forward[0]])
        self.place = place

    def __call__(self, points: ArrayLike) -> Points:
        """Return points (forward, left, up) of the vertebra as model points."""
        p = np.asarray(points, np.float64)
        flat = self.middle + p[..., :1] * self.forward + p[..., 2:] * self.upward
        return self.place(np.stack([flat[..., 0], p[..., 1], flat[..., 1]], -1))

    def axes(self, half: ArrayLike, lean: float = 0.0) -> Points:
        """Return half axes (forward, left, up) mm, leaning back by `lean` degrees, as model vectors."""
        c, s = np.cos(np.radians(lean)), np.sin(np.radians(lean))
        forward, left, upward = np.asarray(half, np.float64)
        local = np.array([[c * forward, 0, -s * forward], [0, left, 0], [s * upward, 0, c * upward]])
        return self(local) - self(np.zeros((3, 3)))
