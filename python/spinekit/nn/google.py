"""Google's pretrained R50+ViT files (.npz), under the names that TransUNet has for their arrays."""

import math
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinekit._core import MalformedDataError, SpinekitError
from spinekit.nn.misfits import Misfits
from spinekit.nn.transunet import STEP, TransUNet

_Array = NDArray[Any]
_Shape = tuple[int, ...]

POSITIONS = "transformer.embeddings.position_embeddings"
_STORED_POSITIONS = "Transformer/posembed_input/pos_embedding"

#: Tokens of a film of 4096 x 4096; more is no position grid but an attempt at memory.
_MOST_TOKENS = 256 * 256

_DAMAGES = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, OSError, SyntaxError)

_UNIT = re.compile(r"body\.(block\d+)\.(unit\d+)\.(\w+)\.(weight|bias)")
_LAYER = re.compile(r"layer\.(\d+)\.(\w+)\.(?:(\w+)\.)?(weight|bias)")

_PARTS = {"attention_norm": "LayerNorm_0", "ffn_norm": "LayerNorm_2", "fc1": "MlpBlock_3/Dense_0"}
_PARTS |= {"fc2": "MlpBlock_3/Dense_1"}
_PARTS |= {name: f"MultiHeadDotProductAttention_1/{name}" for name in ("query", "key", "value", "out")}


def read_google(source: Path, model: TransUNet) -> tuple[dict[str, Tensor], list[str]]:
    """Return the arrays of an .npz that TransUNet has a place for, as it wants them.

    Parameters
    ----------
    source : the file
    model : whose shapes, heads and size the arrays are for

    Returns
    -------
    state : tensors by the network's names: those of the residual network and the transformer. The class
        token's position is dropped; positions of another grid are zoomed linearly, as the published code
        does
    resized : names of what was zoomed

    Raises
    ------
    ArgumentError
        If arrays are missing or of other shapes; all are checked before any is read.
    MalformedDataError
        If the file is damaged.
    """
    numbers = model.configuration
    wanted = {
        name: tensor.shape
        for name, tensor in model.state_dict().items()
        if name.startswith("transformer.") and name != POSITIONS
    }
    misfits = Misfits()
    try:
        with zipfile.ZipFile(source) as archive:
            for name, shape in wanted.items():
                stored, shapes, _ = _place(name, tuple(shape), numbers["heads"])
                found = _header(archive, stored)
                if found is None:
                    misfits.missing.append(stored)
                elif found not in shapes:
                    misfits.wrong.append((stored, found, shapes[0]))
            positions = _header(archive, _STORED_POSITIONS)
            if positions is None:
                misfits.missing.append(_STORED_POSITIONS)
            elif not _are_positions(positions, numbers["hidden"]):
                misfits.wrong.append((_STORED_POSITIONS, positions, (1, "1 + a square", numbers["hidden"])))
            misfits.check(source)
            state = {}
            for name, shape in wanted.items():
                stored, _, turned = _place(name, tuple(shape), numbers["heads"])
                state[name] = _tensor(turned(_read(archive, stored)))
            rows, columns = (side // STEP for side in numbers["size"])
            stored_positions = _read(archive, _STORED_POSITIONS)
    except SpinekitError:
        raise
    except _DAMAGES as failure:
        raise MalformedDataError(
            f"'{source}': cut off or damaged ({failure}); copy or download it again"
        ) from failure
    zoomed = _zoomed(stored_positions, rows, columns)
    state[POSITIONS] = _tensor(stored_positions[:, 1:] if zoomed is None else zoomed)
    return state, [] if zoomed is None else [POSITIONS]


def _place(name: str, shape: _Shape, heads: int) -> tuple[str, list[_Shape], Callable[[_Array], _Array]]:
    """Return what an array is called in the file, the shapes that it may have there, and how it is turned."""
    name = name.removeprefix("transformer.")
    convolution = [(*shape[2:], *shape[1::-1])], lambda array: array.transpose(3, 2, 0, 1)
    flat = [shape, (1, 1, 1, *shape)], np.ravel
    kind = "kernel" if name.endswith("weight") else "bias"
    if name.startswith("embeddings.patch_embeddings."):
        return f"embedding/{kind}", *(convolution if kind == "kernel" else flat)
    if name.startswith("embeddings.hybrid_model.root."):
        if ".conv." in name:
            return "conv_root/kernel", *convolution
        return f"gn_root/{'scale' if kind == 'kernel' else 'bias'}", *flat
    if unit := _UNIT.search(name):
        block, number, part, _ = unit.groups()
        if part.startswith("gn"):
            return f"{block}/{number}/{part}/{'scale' if kind == 'kernel' else 'bias'}", *flat
        return f"{block}/{number}/{part.replace('downsample', 'conv_proj')}/kernel", *convolution
    if layer := _LAYER.search(name):
        number, group, part, _ = layer.groups()
        root = f"Transformer/encoderblock_{number}/{_PARTS[part or group]}"
        if part is None:
            return f"{root}/{'scale' if kind == 'kernel' else 'bias'}", *flat
        if group == "ffn":
            return f"{root}/{kind}", [shape[::-1]], np.transpose
        each = heads, shape[0] // heads
        if part == "out":
            stored = (*each, shape[0]) if kind == "kernel" else shape
        else:
            stored = (shape[0], *each) if kind == "kernel" else each
        return f"{root}/{kind}", [stored], lambda array: array.reshape(shape[::-1]).T
    return f"Transformer/encoder_norm/{'scale' if kind == 'kernel' else 'bias'}", *flat


def _are_positions(shape: _Shape, hidden: int) -> bool:
    tokens = shape[1] - 1 if len(shape) == 3 else 0
    square = 0 < tokens <= _MOST_TOKENS and math.isqrt(tokens) ** 2 == tokens
    return square and shape == (1, tokens + 1, hidden)


def _zoomed(positions: _Array, rows: int, columns: int) -> _Array | None:
    """Return positions of another grid than the file's; None where it is the same."""
    side = math.isqrt(positions.shape[1] - 1)
    if (rows, columns) == (side, side):
        return None
    grid = positions[0, 1:].reshape(side, side, -1).astype(np.float32)
    from scipy import ndimage  # noqa: PLC0415 - slow to import, and of use to few

    zoomed: _Array = ndimage.zoom(grid, (rows / side, columns / side, 1), order=1)
    return zoomed.reshape(1, rows * columns, -1)


def _header(archive: zipfile.ZipFile, name: str) -> _Shape | None:
    """Return the shape of an array, or None where there is none; nothing of its size is allocated."""
    try:
        file = archive.open(f"{name}.npy")
    except KeyError:
        return None
    with file:
        shape, _, dtype = _described(file)
        if dtype.kind != "f":
            raise ValueError(f"'{name}' holds {dtype}, expected numbers")
        if any(length < 0 for length in shape):
            raise ValueError(f"'{name}' has the shape {shape}")
        return shape


def _described(file: IO[bytes]) -> tuple[_Shape, bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f".npy version {version}, expected 1.0 or 2.0")


def _read(archive: zipfile.ZipFile, name: str) -> _Array:
    with archive.open(f"{name}.npy") as file:
        array: _Array = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _tensor(array: _Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
