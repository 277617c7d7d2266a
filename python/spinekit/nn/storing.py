"""One file for a network: its weights, and the description that it is built from."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError, SpinekitError
from spinekit.nn.checkpoints import METADATA_KEY, read_weights
from spinekit.nn.fitting import configuration_of
from spinekit.nn.google import POSITIONS
from spinekit.nn.misfits import Misfits
from spinekit.nn.network import Network, pair_of
from spinekit.nn.swinunet import SwinUNet
from spinekit.nn.transunet import STEP, TransUNet
from spinekit.nn.unet import UNet

_ARCHITECTURES: dict[str, Any] = {"transunet": TransUNet, "unet": UNet, "swinunet": SwinUNet}


def save(model: Network, path: str | os.PathLike[str]) -> None:
    """Write a network into one .safetensors file, which appears whole or not at all.

    Parameters
    ----------
    model : weights are written as they are, in their own dtype; `model.labels`, `model.filters` and
        `model.activation` go along
    path : ends in ``.safetensors``; what is there is replaced

    Raises
    ------
    ArgumentError
        If the name has another ending, `model` is no network of this package, there is not a label for each
        class, or its filters are not plain.
    ResourceError
        If the file cannot be written.

    Notes
    -----
    The metadata hold, under the key "spinekit", a JSON object: the network's `configuration`, and
    "labels", "filters" and "activation" where they are known.
    """
    target = _engine.path_of(path)
    if not isinstance(model, Network):
        raise ArgumentError(f"model: {type(model).__name__}, expected a network of spinekit.nn")
    if target.suffix.lower() != ".safetensors":
        raise ArgumentError(f"'{target}': expected a name that ends in .safetensors")
    metadata = {METADATA_KEY: json.dumps(model.description(), allow_nan=False)}
    weights = {name: _compact(tensor) for name, tensor in model.state_dict().items()}
    try:
        with _engine.appearing_whole(target) as part:
            _write(weights, part, metadata)
    except OSError as failure:
        raise _engine.os_error(target, "cannot be written", failure) from failure


def load(path: str | os.PathLike[str], *, size: Sequence[int] | None = None, mmap: bool = False) -> Network:
    """Return the network of a file, ready to predict.

    Parameters
    ----------
    path : a file of `save`, or an official TransUNet checkpoint, whose configuration is worked out from its
        weights by `configuration_of`
    size : (rows, columns) that an official checkpoint was trained for, where its positions are no square;
        all others tell their size, and it counts for nothing
    mmap : as `read_weights` takes it

    Returns
    -------
    model : on the CPU, in evaluation mode, with `labels`, `filters` and `activation` as they were. Official
        checkpoints name no classes, hence no labels; they were trained with a softmax, of which class 0 is
        the background, hence "softmax": set another before it is trained on with another

    Raises
    ------
    ArgumentError
        If positions are no square, and `size` is missing or has another number of them.
    MalformedDataError
        If the file is damaged, describes no network, or its weights are not those of the description.
    ResourceError
        If it cannot be read.

    Notes
    -----
    Memory is that of the weights in the file, whatever the description claims.
    """
    source = _engine.path_of(path)
    state, configuration = read_weights(source, mmap=mmap)
    if configuration is None and POSITIONS in state:
        grid = _grid_size(source, state[POSITIONS], size)
        try:
            configuration = configuration_of(state, size=grid) | {"activation": "softmax"}
        except SpinekitError as failure:
            raise MalformedDataError(f"'{source}': {failure}") from failure
    if configuration is None:
        raise MalformedDataError(
            f"'{source}': no spinekit configuration in its metadata, expected a file of spinekit.nn.save; "
            "for other checkpoints, build a network and use spinekit.nn.load_checkpoint"
        )
    return _assembled(source, state, configuration)


def _grid_size(source: Path, positions: Tensor, size: Sequence[int] | None) -> tuple[int, int] | None:
    """Return the size that positions are for, None where they are a square, or no positions at all."""
    tokens = positions.shape[1] if positions.ndim == 3 else 0
    if math.isqrt(tokens) ** 2 == tokens:
        return None
    if size is None:
        raise ArgumentError(
            f"'{source}': {tokens} positions, no square, and it does not say for which films; give "
            f"size=(rows, columns) that it was trained for: {tokens} patches of {STEP} x {STEP} pixels"
        )
    rows, columns = pair_of(size, STEP)
    if rows // STEP * (columns // STEP) != tokens:
        raise ArgumentError(
            f"'{source}': size: {(rows, columns)}, expected one of {tokens} patches of {STEP} x {STEP} pixels"
        )
    return rows, columns


def build(configuration: dict[str, Any]) -> Network:
    """Return a network with fresh weights from a `configuration`.

    Parameters
    ----------
    configuration : as networks and `read_weights` give it, "labels" and "filters" included

    Raises
    ------
    ArgumentError
        If the architecture is unknown, a key is missing, or numbers are out of range or do not fit together.
    """
    architecture = configuration.get("architecture")
    if not isinstance(architecture, str) or architecture not in _ARCHITECTURES:
        names = ", ".join(map(repr, _ARCHITECTURES))
        raise ArgumentError(f"architecture: {architecture!r}, expected one of {names}")
    try:
        model: Network = _ARCHITECTURES[architecture].from_configuration(configuration)
    except KeyError as missing:
        raise ArgumentError(f"configuration: {missing} is missing") from missing
    except TypeError as failure:
        raise ArgumentError(f"configuration: {failure}") from failure
    for key, value in model.configuration.items():
        if key != "preset" and configuration.get(key, value) != value:
            raise ArgumentError(f"{key}: {configuration[key]!r}, expected {value!r} by the other numbers")
    model.adopt(configuration)
    return model


class _Undrawn(TorchFunctionMode):
    """Draws no weights that are replaced anyway: on the meta device that imports a compiler, for a second."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return kwargs["tensor"] if func is init.normal_ else func(*args, **(kwargs or {}))


def _assembled(source: Path, state: dict[str, Tensor], configuration: dict[str, Any]) -> Network:
    try:
        # On the meta device nothing is allocated: a description can be false, and the weights are there.
        with torch.device("meta"), _Undrawn():
            model = build(configuration)
    except SpinekitError as failure:
        raise MalformedDataError(f"'{source}': {failure}") from failure
    expected = model.state_dict()
    if misfits := str(Misfits.of(state, expected)):
        raise MalformedDataError(f"'{source}': its weights are not those of its configuration: {misfits}")
    for name, tensor in state.items():
        if tensor.is_floating_point() != expected[name].is_floating_point():
            raise MalformedDataError(
                f"'{source}': '{name}' is {tensor.dtype}, expected {expected[name].dtype}"
            )
    if configuration.get("labels") is None:
        model.labels = None  # eight classes are those of a spine only where the file says so
    model.load_state_dict(state, assign=True)
    model.eval()
    return model


def _compact(tensor: Tensor) -> Tensor:
    """Return a tensor that has its memory to itself; weights of a state dict can be parts of a larger one."""
    tensor = tensor.detach().cpu().contiguous()
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def _write(weights: dict[str, Tensor], part: Path, metadata: dict[str, str]) -> None:
    try:
        save_file(weights, part, metadata)
    except SafetensorError as failure:
        # It hides what the system said; opening the file for ourselves brings that to light.
        part.open("ab").close()
        raise OSError(0, str(failure)) from failure
    with part.open("rb") as file:
        os.fsync(file.fileno())
