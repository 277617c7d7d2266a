"""
The part of spinekit's engine that runs networks; use spinekit.Segmenter instead.
"""

from __future__ import annotations

import collections.abc
import typing

import numpy
import numpy.typing

class Network:
    """
    A network that is ready to run.
    """
    def forward(self, films: numpy.typing.NDArray[numpy.float32]) -> numpy.typing.NDArray[numpy.float32]:
        """
        Logits, float32 (n, classes, rows, columns), of films, float32 (n, channels, rows, columns).
        """

def settle_after_fork() -> None:
    """
    To be called before torch is used in a child of fork().
    """

def torchscript(
    path: str,
    channels: typing.SupportsInt | typing.SupportsIndex,
    classes: typing.SupportsInt | typing.SupportsIndex,
    precision: str,
    threads: typing.SupportsInt | typing.SupportsIndex,
    device: str = "cpu",
) -> Network:
    """
    A network from a TorchScript file.
    """

def transunet(
    configuration: dict[str, typing.Any],
    weights: collections.abc.Mapping[str, typing.Annotated[numpy.typing.ArrayLike, numpy.float32]],
    precision: str,
    threads: typing.SupportsInt | typing.SupportsIndex,
    device: str = "cpu",
    kernels: str = "best",
) -> Network:
    """
    A TransUNet from the configuration of spinekit.nn and its weights, float32, by name.
    """

def versions() -> dict[str, str]:
    """
    What it was built for, and what the machine offers.
    """
