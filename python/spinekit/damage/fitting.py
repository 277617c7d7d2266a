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
    if all(isinstance(value, int) for value in boxes):
        boxes = [boxes]
    return [checked_box(box, scan, f"{what}[{k}]") for k, box in enumerate(boxes)]


def fitted(scan: Scan, classes: Mapping[str, Any]) -> list[ColorComponent]:
    """Return a Gaussian for each box.

    Parameters
    ----------
    scan : that the boxes are in
    classes : boxes of each class by its name
    """
    boxes = {name: boxes_of(found, scan, name) for name, found in classes.items()}
    made = []
    for name, of_class in boxes.items():
        for k, box in enumerate(of_class):
            mean, covariance, count = moments(scan, box)
            if not covariance.any():
                warnings.warn(
                    f"{name}[{k}]: {box} is of one colour: it says little about how colours vary, and only "
                    "colours almost equal to it will be near it",
                    stacklevel=3,
                )
            made.append(ColorComponent(name, mean, covariance + RIDGE * np.eye(4), float(count)))
    return made


def moments(scan: Scan, box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return mean, covariance (ddof=1, 0 of a single pixel) and number of pixels.

    Notes
    -----
    Some rows at a time (Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm for computing
    sample variances, 1979): no box is too large.
    """
    engine, cancel = _engine.executor(1), _core.CancelToken()
    count, mean, scatter = 0, np.zeros(4), np.zeros((4, 4))
    first, uniform = np.zeros(4), True
    for strip in scan.box_strips(box):
        features = _core.colour_features(strip, engine, cancel).reshape(-1, 4)
        first = first if count else features[0].copy()
        uniform = uniform and bool((features == first).all())
        size, centre = len(features), features.mean(axis=0)
        features -= centre
        shift = centre - mean
        total = count + size
        scatter += features.T @ features + np.outer(shift, shift) * (count * size / total)
        mean += shift * (size / total)
        count = total
    if uniform:  # what sums would round
        return first, np.zeros((4, 4)), count
    # Products of matrices may round apart what is symmetric.
    return mean, (scatter + scatter.T) / 2 / max(1, count - 1), count
