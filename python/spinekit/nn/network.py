"""What all networks share: a description that they can be built from, and the ensemble in front of them."""

import copy
import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spinekit._core import ArgumentError

#: What the eight channels of a spine's masks show.
LABELS = ("L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH2")

#: What makes probabilities of logits: for classes that overlap, and for those of which a pixel has one.
ACTIVATIONS = ("sigmoid", "softmax")

#: More than any network needs; what a damaged file could ask for beyond it is refused before it is allocated.
_MOST = 1 << 16


class Network(nn.Module):
    """A segmentation network that can say what it is made of.

    Parameters
    ----------
    configuration : plain values; "classes", "channels", "pen" and "size" are in all of them
    step : sides of films are multiples of this
    least : what they have at least; 0 for `step`

    Attributes
    ----------
    labels : what each class shows: `LABELS` where there are eight, unless set; None where nobody said
    filters : how films are prepared for the network, as `spinekit.filters.PenSettings.to_dict` gives it and
        `spinekit.Segmenter` reads it; passed through files untouched; None where unknown
    activation : "sigmoid", or "softmax" of a network that was trained to give each pixel one class; what
        `spinekit.Segmenter` makes probabilities by. None where nobody said, which counts as "sigmoid"
    """

    def __init__(self, configuration: dict[str, Any], step: int, least: int = 0) -> None:
        super().__init__()
        self._configuration = configuration
        self._step, self._least = step, least
        self.labels: list[str] | None = list(LABELS) if configuration["classes"] == len(LABELS) else None
        self.filters: dict[str, Any] | None = None
        self.activation: str | None = None
        self.pen = PEN(configuration["channels"]) if configuration["pen"] else None

    @property
    def configuration(self) -> dict[str, Any]:
        """Plain numbers and names, for JSON, from which the same network is built without this package."""
        return copy.deepcopy(self._configuration)

    def description(self) -> dict[str, Any]:
        """Return the configuration with "labels", "filters" and "activation", where known: what files carry.

        Raises
        ------
        ArgumentError
            If there is not a label for each class, the filters are no plain values for JSON, or the
            activation is unknown.
        """
        described = self.configuration
        if self.labels is not None:
            if len(self.labels) != described["classes"]:
                number = described["classes"]
                raise ArgumentError(f"labels: {len(self.labels)}, expected one for each of {number} classes")
            described["labels"] = list(self.labels)
        if self.filters is not None:
            try:
                described["filters"] = json.loads(json.dumps(self.filters, allow_nan=False))
            except (TypeError, ValueError) as failure:
                raise ArgumentError(f"filters: {failure}, expected plain values for JSON") from failure
        if self.activation is not None:
            described["activation"] = checked_activation(self.activation)
        return described

    def adopt(self, description: dict[str, Any]) -> None:
        """Take over "labels", "filters" and "activation" of a description, where it has them.

        Raises
        ------
        ArgumentError
            If they are not a name for each class, names with values, and one of `ACTIVATIONS`.
        """
        labels, filters = description.get("labels"), description.get("filters")
        classes = self._configuration["classes"]
        if labels is not None:
            texts = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
            if not texts or len(labels) != classes:
                raise ArgumentError(f"labels: {labels!r}, expected {classes} names")
            self.labels = list(labels)
        if filters is not None:
            if not isinstance(filters, dict):
                raise ArgumentError(f"filters: {filters!r}, expected names and values")
            self.filters = copy.deepcopy(filters)
        if (activation := description.get("activation")) is not None:
            self.activation = checked_activation(activation)

    def entered(self, films: Tensor) -> Tensor:
        """Check films and bring them to the channels that the network behind the ensemble expects.

        Raises
        ------
        ArgumentError
            Unless they are (n, channels, rows, columns) of a size that the network takes. One channel
            stands for three where there is no ensemble.
        """
        channels = self._configuration["channels"]
        if films.ndim != 4:
            shape = tuple(films.shape)
            raise ArgumentError(f"films: shape {shape}, expected (n, channels, rows, columns)")
        got, rows, columns = films.shape[1:]
        if got != channels and not (channels == 3 and got == 1):
            expected = "3 channels, or 1" if channels == 3 else f"{channels} channels"
            raise ArgumentError(f"films: {got} channels, expected {expected}")
        if not _fits(rows, self._step, self._least) or not _fits(columns, self._step, self._least):
            expected = _sides(self._step, self._least)
            raise ArgumentError(f"films: {rows} x {columns} pixels, expected {expected}")
        if got != channels:
            films = films.expand(-1, channels, -1, -1)
        return films if self.pen is None else self.pen(films)


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
            nn.init.normal_(self.conv.weight, std=1e-3)
            self.conv.weight[:, :, 3, 3] += 1 / channels
            nn.init.zeros_(self.conv.bias)

    def forward(self, films: Tensor) -> Tensor:
        """Turn (n, channels, rows, columns) into (n, 3, rows, columns)."""
        return nn.functional.leaky_relu(self.conv(films), 0.01)


def checked_activation(value: Any) -> str:
    """Return `value` if it is one of `ACTIVATIONS`; else an ArgumentError."""
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise ArgumentError(f"activation: {value!r}, expected {' or '.join(map(repr, ACTIVATIONS))}")
    return value


def count(name: str, value: Any, most: int = _MOST) -> int:
    """Return `value` if it is a whole number from 1 to `most`; else an ArgumentError that names it."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ArgumentError(f"{name}: {value!r}, expected a whole number from 1 to {most}")
    return value


def pair_of(size: int | Sequence[int], step: int, least: int = 0) -> tuple[int, int]:
    """Return (rows, columns) of a size; an ArgumentError unless both are multiples of `step`."""
    pair = [size, size] if isinstance(size, int) else list(size)
    whole = len(pair) == 2 and all(isinstance(n, int) and not isinstance(n, bool) for n in pair)
    if not whole or not all(_fits(n, step, least) and n <= _MOST for n in pair):
        raise ArgumentError(f"size: {size!r}, expected {_sides(step, least)}")
    return pair[0], pair[1]


def share(name: str, value: Any) -> float:
    """Return `value` if it is a number from 0 to below 1; else an ArgumentError that names it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ArgumentError(f"{name}: {value!r}, expected 0 <= {name} < 1")
    return value


def _fits(side: int, step: int, least: int) -> bool:
    return side % step == 0 and side >= max(least, step)


def _sides(step: int, least: int) -> str:
    return f"rows and columns that are multiples of {step}, at least {max(least, step)}"
