"""Weights of a checkpoint put into a network, and a network's description found from weights alone."""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError
from spinekit.nn.checkpoints import kind_of, read_weights
from spinekit.nn.google import POSITIONS, read_google
from spinekit.nn.misfits import Misfits
from spinekit.nn.network import Network
from spinekit.nn.transformer import resized_positions
from spinekit.nn.transunet import STEP, Preset, TransUNet

_ENSEMBLE = "pen."

#: Buffers of published Swin-Unet checkpoints that follow from a film's size.
_DERIVED = (".attn_mask", ".relative_position_index")

#: What a file may say otherwise than the network that it is loaded into.
_FREE = ("preset", "classes", "channels", "pen", "size", "dropout", "drop_path")


@dataclass(frozen=True)
class Loaded:
    """What a checkpoint did not settle.

    Attributes
    ----------
    fresh : weights of the network that the file does not have, which stayed as they were
    resized : position embeddings that were stored for another grid
    """

    fresh: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)


def load_checkpoint(model: Network, path: str | os.PathLike[str], *, skip: Sequence[str] = ()) -> Loaded:
    """Load a network's weights from a file of this package or of others.

    Parameters
    ----------
    model : changed in place, and only if everything fits
    path : a .safetensors file, an official .pth (a state dict), or Google's .npz of R50+ViT for a TransUNet
    skip : starts of names that are left as they are, such as "segmentation_head." for other classes

    Returns
    -------
    loaded : names of weights that stayed as they were, and of position embeddings that were resized. What
        may be missing are the ensemble (``pen.``), which official checkpoints lack, what was skipped, and,
        with an .npz, the decoder and the head

    Raises
    ------
    ArgumentError
        If weights are missing, unexpected or of another shape, all told with both shapes; or the file's
        description has other numbers than the network, such as heads.
    MalformedDataError, UnsupportedError, ResourceError
        As `read_weights`.

    Notes
    -----
    Positions of another grid are interpolated as `TransUNet` does, those of an .npz by linear zoom. A state
    dict does not tell its grid: as many positions as the network's are taken for the same grid, others for
    a square. Labels and filters of a file of this package go to the network where its classes are the same.
    """
    source = _engine.path_of(path)
    own = model.state_dict()
    configuration = None
    if kind_of(source) == "an .npz":
        if not isinstance(model, TransUNet):
            name = type(model).__name__
            raise ArgumentError(f"'{source}': an .npz of R50+ViT, expected a file for a {name}")
        state, resized = read_google(source, model)
        skip = (*skip, "decoder.", "segmentation_head.")
    else:
        state, configuration = read_weights(source)
        state = {name: tensor for name, tensor in state.items() if not name.endswith(_DERIVED)}
        _check_numbers(source, model.configuration, configuration)
        resized = _resize(state, own, model.configuration, configuration)
    state = {name: tensor for name, tensor in state.items() if not name.startswith(tuple(skip))}
    fresh = [name for name in own if name not in state]
    misfits = Misfits.of(state, own)
    misfits.missing = [name for name in fresh if not name.startswith((_ENSEMBLE, *skip))]
    misfits.check(source)
    if configuration and configuration.get("classes") == model.configuration["classes"]:
        try:
            model.adopt(configuration)
        except ArgumentError as failure:
            raise MalformedDataError(f"'{source}': {failure}") from failure
    model.load_state_dict(state, strict=False)
    return Loaded(fresh, resized)


def configuration_of(
    state: Mapping[str, Tensor],
    heads: int | None = None,
    *,
    groups: int = 32,
    size: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Work out the configuration of a TransUNet from the shapes of its weights.

    Parameters
    ----------
    state : as of an official checkpoint, on any device, "meta" included
    heads : weights do not tell; None for one for each 64 of the hidden size, as published
    groups : of the normalisations; weights do not tell
    size : (rows, columns) that the positions are for; None for a square

    Returns
    -------
    configuration : as `TransUNet.configuration`

    Raises
    ------
    ArgumentError
        If weights are missing, or their shapes are not those of a TransUNet.
    """

    def shape_of(name: str, axes: int) -> Sequence[int]:
        if name not in state:
            raise ArgumentError(f"state: no '{name}', expected the weights of a TransUNet")
        shape: Sequence[int] = state[name].shape
        if len(shape) != axes:
            raise ArgumentError(f"state: '{name}' has the shape {tuple(shape)}, expected {axes} axes")
        return shape

    body = "transformer.embeddings.hybrid_model."
    _, tokens, hidden = shape_of(POSITIONS, 3)
    if size is None:
        side = math.isqrt(tokens)
        if side * side != tokens:
            raise ArgumentError(f"state: {tokens} positions, no square; say which size, (rows, columns)")
        size = side * STEP, side * STEP
    elif len(size) != 2 or size[0] // STEP * (size[1] // STEP) != tokens:
        raise ArgumentError(f"size: {tuple(size)}, expected one of {tokens} patches of {STEP} x {STEP}")
    if heads is None:
        heads = hidden // 64
        if hidden % 64:
            raise ArgumentError(
                f"heads: not told, and the hidden size {hidden} is no multiple of 64; say how many"
            )
    preset = Preset(
        width=shape_of(f"{body}root.conv.weight", 4)[0],
        units=tuple(_number(state, rf"{body}body.block{k}.unit(\d+)\.", 1) for k in (1, 2, 3)),  # type: ignore[arg-type]
        groups=groups,
        hidden=hidden,
        layers=_number(state, r"transformer\.encoder\.layer\.(\d+)\.", 0),
        heads=heads,
        mlp=shape_of("transformer.encoder.layer.0.ffn.fc1.weight", 2)[0],
        entry=shape_of("decoder.conv_more.0.weight", 4)[0],
        decoder=tuple(shape_of(f"decoder.blocks.{k}.conv1.0.weight", 4)[0] for k in range(4)),  # type: ignore[arg-type]
    )
    channels = shape_of("pen.conv.weight", 4)[1] if "pen.conv.weight" in state else 3
    classes = shape_of("segmentation_head.0.weight", 4)[0]
    with torch.device("meta"):
        model = TransUNet(preset, classes=classes, channels=channels, size=size)
    for name, tensor in model.state_dict().items():
        if shape_of(name, tensor.ndim) != tensor.shape:
            got = tuple(state[name].shape)
            raise ArgumentError(f"state: '{name}' has the shape {got}, expected {tuple(tensor.shape)}")
    return model.configuration


def _number(state: Mapping[str, Tensor], pattern: str, first: int) -> int:
    """Return how many parts are numbered without a gap from `first` in names that start so."""
    found = {int(match[1]) for name in state if (match := re.match(pattern, name)) and len(match[1]) < 6}
    number = 0
    while number + first in found:
        number += 1
    return number


def _check_numbers(source: Path, ours: dict[str, Any], theirs: dict[str, Any] | None) -> None:
    for key, value in (theirs or {}).items():
        if key in ours and key not in _FREE and value != ours[key]:
            raise ArgumentError(
                f"'{source}' does not fit this network: {key} {value!r}, expected {ours[key]!r}"
            )


def _resize(
    state: dict[str, Tensor], own: dict[str, Tensor], ours: dict[str, Any], theirs: dict[str, Any] | None
) -> list[str]:
    """Bring position embeddings to the network's grid, if there are any and they can be; name them."""
    if POSITIONS not in state or POSITIONS not in own:
        return []
    positions = state[POSITIONS]
    if positions.ndim != 3 or positions.shape[0] != 1 or not positions.is_floating_point():
        return []
    wanted = [side // STEP for side in ours["size"]]
    tokens = positions.shape[1]
    grid = _grid(theirs)
    if grid is None:
        if tokens == own[POSITIONS].shape[1]:
            return []
        grid = [math.isqrt(tokens)] * 2
    if not tokens or grid[0] * grid[1] != tokens or grid == wanted:
        return []
    state[POSITIONS] = resized_positions(positions.float(), grid, wanted)
    return [POSITIONS]


def _grid(configuration: dict[str, Any] | None) -> list[int] | None:
    size = (configuration or {}).get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(side, int) for side in size):
        return None
    return [side // STEP for side in size]
