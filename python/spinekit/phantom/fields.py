"""Voxels that lie anywhere in space, and rays through them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinekit import _core
from spinekit.phantom.view import View


@dataclass(eq=False)
class Field:
    """Voxels in space.

    Attributes
    ----------
    values : shape (k, j, i)
    lps : shape (4, 4); (k, j, i, 1) to LPS, mm
    """

    values: NDArray[Any]
    lps: NDArray[np.float64]

    def moved(self, way: ArrayLike) -> "Field":
        """Return the same voxels elsewhere."""
        lps = self.lps.copy()
        lps[:3, 3] += np.asarray(way, np.float64)
        return Field(self.values, lps)

    def part(self, low: ArrayLike, high: ArrayLike) -> "Field":
        """Return the voxels from `low` up to `high`; beyond its ends the field goes on as it ends."""
        parts = [
            np.clip(np.arange(first, end), 0, size - 1)
            for first, end, size in zip(np.asarray(low), np.asarray(high), self.values.shape, strict=True)
        ]
        lps = self.lps.copy()
        lps[:3, 3] += lps[:3, :3] @ np.asarray(low, np.float64)
        return Field(self.values[np.ix_(*parts)], lps)

    def points(self, indices: NDArray[Any]) -> NDArray[np.float64]:
        """Return where voxels, shape (n, 3), lie."""
        return np.asarray(indices @ self.lps[:3, :3].T + self.lps[:3, 3], np.float64)

    def middle(self) -> NDArray[np.float64]:
        """Return the middle of the voxels, LPS."""
        return np.asarray(self.points((np.array(self.values.shape)[None] - 1) / 2)[0], np.float64)

    def holds(self, point: NDArray[np.float64]) -> bool:
        """Return whether a point lies within the voxels."""
        index = np.linalg.solve(self.lps[:3, :3], point - self.lps[:3, 3])
        return bool((index >= -0.5).all() and (index <= np.array(self.values.shape) - 0.5).all())

    def through(self, view: View, *, most: bool, executor: _core.Executor) -> NDArray[np.float32]:
        """Return integrals or greatest values along a view's rays."""
        values = np.ascontiguousarray(self.values, np.float32)
        axes = [tuple(self.lps[:3, axis]) for axis in (2, 1, 0)]
        return _core.through(values, tuple(self.lps[:3, 3]), axes, view.beam, most, executor)
