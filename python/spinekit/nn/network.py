"""What all networks share: a description that they can be built from, and the ensemble in front of them."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spinekit._core import ArgumentError

#: What the eight channels of a spine's masks show.
LABELS = ("L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH2")

#: More than any network needs; what a damaged file could ask for beyond it is refused before it is allocated.
_MOST = 1 << 16


class Network(nn.Module):
    """A segmentation network that can say what it is made of.

    Attributes
    ----------
    labels : what each class shows, or None where nobody said
    filters : how films are prepared for the network, passed through files untouched; None where unknown
    """

    def __init__(self, configuration: dict[str, Any]) -> None:
        super().__init__()
        self._configuration = configuration
        self.labels: list[str] | None = list(LABELS) if configuration["classes"] == len(LABELS) else None
        self.filters: dict[str, Any] | None = None

    @property
    def configuration(self) -> dict[str, Any]:
        """Plain numbers and names, for JSON, from which the same network is built without this package."""
        return copy.deepcopy(self._configuration)


class PEN(nn.Module):
    """Preprocessing ensemble: versions of one film become the three channels that networks expect.

    A convolution 7 x 7, then a leaky rectifier of slope 0.01. It starts as the mean of the versions, so that
    pretrained weights behind it see a film from the first step on.

    Parameters
    ----------
    channels : versions of the film; 6, or 5 with one left out
    """

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.conv = nn.Conv2d(count("channels", channels), 3, 7, padding=3)
        with torch.no_grad():
            nn.init.normal_(self.conv.weight, std=0.01)
            self.conv.weight[:, :, 3, 3] += 1 / channels
            nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, films: Tensor) -> Tensor:
        """Turn (n, channels, rows, columns) into (n, 3, rows, columns)."""
        return nn.functional.leaky_relu(self.conv(films), 0.01)


def count(name: str, value: Any, most: int = _MOST) -> int:
    """Return `value` if it is a whole number from 1 to `most`; else an ArgumentError that names it."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ArgumentError(f"{name}: {value!r}, expected a whole number from 1 to {most}")
    return value


def pair_of(size: int | Sequence[int], step: int, least: int = 0) -> tuple[int, int]:
    """Return (rows, columns) of a size; an ArgumentError unless both are multiples of `step`."""
    pair = [size, size] if isinstance(size, int) else list(size)
    whole = len(pair) == 2 and all(isinstance(n, int) and not isinstance(n, bool) for n in pair)
    if not whole or any(n % step or not max(least, step) <= n <= _MOST for n in pair):
        raise ArgumentError(f"size: {size!r}, expected {_expected(step, least)}")
    return pair[0], pair[1]


def check_films(films: Tensor, channels: int, step: int, least: int = 0) -> None:
    """Refuse anything but (n, channels, rows, columns) with sides that are multiples of `step`.

    One channel stands for three where a network expects three.
    """
    if films.ndim != 4:
        shape = tuple(films.shape)
        raise ArgumentError(f"films: shape {shape}, expected (n, channels, rows, columns)")
    got, rows, columns = films.shape[1:]
    if got != channels and not (channels == 3 and got == 1):
        expected = "3 channels, or 1" if channels == 3 else f"{channels} channels"
        raise ArgumentError(f"films: {got} channels, expected {expected}")
    if rows % step or columns % step or min(rows, columns) < max(least, step):
        raise ArgumentError(f"films: {rows} x {columns} pixels, expected {_expected(step, least)}")


def _expected(step: int, least: int) -> str:
    return f"rows and columns that are multiples of {step}, at least {max(least, step)}"
