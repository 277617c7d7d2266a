"""Gaussians of the colours in boxes."""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit._core import ArgumentError
from spinekit.damage.scans import Box, Scan, checked_box

#: Added to each variance, so that a box of one colour has an inverse too.
RIDGE = 1e-4


@dataclasses.dataclass(frozen=True, eq=False)
class ColorComponent:
    """Colours of one box as a Gaussian over (L, a, b, S).

    Attributes
    ----------
    name : of its class
    mean : shape (4,), float64, read-only
    covariance : shape (4, 4), float64, symmetric, positive definite, read-only
    weight : > 0; pixels of the box
    """

    name: str
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    weight: float

    def __post_init__(self) -> None:
        for field in ("mean", "covariance"):
            values = np.array(getattr(self, field), np.float64)
            values.setflags(write=False)
            object.__setattr__(self, field, values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ColorComponent):
            return NotImplemented
        return (
            (self.name, self.weight) == (other.name, other.weight)
            and np.array_equal(self.mean, other.mean)
            and np.array_equal(self.covariance, other.covariance)
        )

    __hash__ = None  # type: ignore[assignment]


def boxes_of(boxes: Any, scan: Scan, what: str) -> list[Box]:
    """Return boxes that were checked; a single one may come without a list."""
    if isinstance(boxes, np.ndarray):
        boxes = boxes.tolist()
    if not isinstance(boxes, Sequence) or isinstance(boxes, str):
        raise ArgumentError(f"{what}: {boxes!r}, expected a list of boxes (x, y, width, height)")
    if not boxes:
        raise ArgumentError(f"{what}: no box, expected at least one (x, y, width, height)")
    if all(isinstance(value, int | np.integer) for value in boxes):
        boxes = [boxes]
    return [checked_box(box, scan, f"{what}[{k}]") for k, box in enumerate(boxes)]


def fitted(scan: Scan, classes: Mapping[str, Any]) -> list[ColorComponent]:
    """Return a Gaussian for each box.

    Parameters
    ----------
    scan : that the boxes are in
    classes : boxes of each class by its name
    """
    boxes = [
        (f"{name}[{k}]", name, box)
        for name, found in classes.items()
        for k, box in enumerate(boxes_of(found, scan, name))
    ]
    moments = [_Moments() for _ in boxes]
    engine, cancel = _engine.executor(1), _core.CancelToken()
    for k, strip in scan.box_strips([box for _, _, box in boxes]):
        moments[k].add(_core.colour_features(strip, engine, cancel).reshape(-1, 4))
    made = []
    for (what, name, box), found in zip(boxes, moments, strict=True):
        if found.uniform:
            warnings.warn(
                f"{what}: {box} is of one colour: it says little about how colours vary, and only "
                "colours almost equal to it will be near it",
                stacklevel=3,
            )
        covariance = found.covariance() + RIDGE * np.eye(4)
        made.append(ColorComponent(name, found.mean, covariance, float(found.count)))
    return made


class _Moments:
    """Mean and covariance of features that come some at a time.

    Notes
    -----
    Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979.
    """

    def __init__(self) -> None:
        self.count, self.mean, self.uniform = 0, np.zeros(4), True
        self._scatter, self._first = np.zeros((4, 4)), np.zeros(4)

    def add(self, features: NDArray[np.float64]) -> None:
        """Take features, (n, 4), which are overwritten."""
        if self.count == 0:
            self._first = features[0].copy()
        self.uniform = self.uniform and bool((features == self._first).all())
        size = len(features)
        total = self.count + size
        centre = features.mean(axis=0)
        features -= centre
        shift = centre - self.mean
        self._scatter += features.T @ features + np.outer(shift, shift) * (self.count * size / total)
        # Sums would round what is the same everywhere.
        self.mean = self._first if self.uniform else self.mean + shift * (size / total)
        self.count = total

    def covariance(self) -> NDArray[np.float64]:
        """Return it with ddof=1; 0 of pixels that are all the same."""
        if self.uniform:
            return np.zeros((4, 4))
        # Products of matrices may round apart what is symmetric.
        return (self._scatter + self._scatter.T) / 2 / max(1, self.count - 1)
