"""Weights from files: safetensors, and state dicts of torch, read without running what they hold."""

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from spinekit import _engine
from spinekit._core import MalformedDataError, UnsupportedError

#: Of a .safetensors file's metadata: where a network's description is kept.
METADATA_KEY = "spinekit"

#: Under which training scripts keep the weights, beside the optimiser's state and the like.
_WRAPPERS = ("state_dict", "model", "model_state_dict")

_PARALLEL = "module."

_ZIP = b"PK\x03\x04"

_PICKLE = b"\x80"


def read_weights(
    path: str | os.PathLike[str], *, mmap: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Return the weights of a file, and the description of their network where there is one.

    Parameters
    ----------
    path : a .safetensors file, or a .pth or .pt file of torch, old or new; told apart by what they hold.
        Of a training script's file, what is under "state_dict", "model" or "model_state_dict"
    mmap : whether tensors of a .safetensors file stay in it and are read when they are used, which saves time
        and memory. Nobody may write to the file, or shorten it, while they are

    Returns
    -------
    state : tensors on the CPU by name; a leading ``module.`` of all names is left out, and so are entries
        of a state dict that are no tensors
    configuration : as `save` wrote it, "labels" and "filters" included; None where there is none

    Raises
    ------
    MalformedDataError
        If the file is empty, damaged, of another kind, or would run code.
    UnsupportedError
        If it is a TorchScript file or an .npz.
    ResourceError
        If it cannot be read.

    Notes
    -----
    No code of the file is run. Memory is that of the file.
    """
    source = _engine.path_of(path)
    kind = kind_of(source)
    if kind == "safetensors":
        return _read_safetensors(source, mmap=mmap)
    if kind == "torch":
        return _read_state_dict(source), None
    raise UnsupportedError(
        f"'{source}': {kind}, expected a .safetensors file or a state dict"
        + ("; spinekit.nn.load_checkpoint reads it into a network" if kind == "an .npz" else "")
    )


def kind_of(source: Path) -> str:
    """Tell what a file is by what it holds: "safetensors", "torch", "an .npz" or "a TorchScript file"."""
    try:
        with source.open("rb") as file:
            start = file.read(16)
    except OSError as failure:
        raise _engine.os_error(source, "cannot be read", failure) from failure
    if not start:
        raise MalformedDataError(f"'{source}': empty, expected weights; copy or download it again")
    if start.startswith(_ZIP):
        return _kind_of_zip(source)
    if start.startswith(_PICKLE):
        return "torch"
    if start[8:9] == b"{":
        return "safetensors"
    raise MalformedDataError(f"'{source}': no weights, expected a .safetensors, .pth, .pt or .npz file")


def _kind_of_zip(source: Path) -> str:
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as failure:
        raise MalformedDataError(
            f"'{source}': cut off or damaged ({failure}); copy or download it again"
        ) from failure
    names = [entry.filename for entry in entries]
    if any(name.endswith(".npy") for name in names):
        return "an .npz"
    if any(name.endswith("/constants.pkl") for name in names):
        return "a TorchScript file"
    if not any(name.endswith("/data.pkl") for name in names):
        raise MalformedDataError(f"'{source}': a ZIP file without weights, expected a .pth or .npz file")
    # torch stores without compression; anything else could unfold to any size.
    if sum(entry.file_size for entry in entries) > source.stat().st_size:
        raise MalformedDataError(
            f"'{source}': its entries are larger than the file, expected a file of torch"
        )
    return "torch"


def _read_safetensors(source: Path, *, mmap: bool) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    try:
        with safe_open(source, "pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            if not mmap:
                state = {name: tensor.clone() for name, tensor in state.items()}
    except OSError as failure:
        raise _engine.os_error(source, "cannot be read", failure) from failure
    except SafetensorError as failure:
        raise MalformedDataError(
            f"'{source}': cut off or damaged ({failure}); copy or download it again"
        ) from failure
    if METADATA_KEY not in metadata:
        return _plain_names(state), None
    try:
        configuration = json.loads(metadata[METADATA_KEY])
    except (ValueError, RecursionError) as failure:
        raise MalformedDataError(f"'{source}': its configuration is no JSON: {failure}") from failure
    if not isinstance(configuration, dict):
        kind = type(configuration).__name__
        raise MalformedDataError(f"'{source}': its configuration is a {kind}, expected a JSON object")
    return state, configuration


def _read_state_dict(source: Path) -> dict[str, Tensor]:
    try:
        held = torch.load(source, map_location="cpu", weights_only=True)
    except OSError as failure:
        raise _engine.os_error(source, "cannot be read", failure) from failure
    except pickle.UnpicklingError as failure:
        # Bytes that are no instruction of a pickle are called unsupported too.
        if "global" in str(failure).lower() or "Unsupported class" in str(failure):
            raise MalformedDataError(
                f"'{source}': holds code or objects beside its weights, which are not run; expected a state "
                "dict: torch.save(model.state_dict(), path)"
            ) from failure
        raise _damaged(source) from failure
    except Exception as failure:  # a damaged pickle fails with whatever its bytes happen to call for
        raise _damaged(source) from failure
    for _ in _WRAPPERS:
        inside = [held[key] for key in _WRAPPERS if key in held] if isinstance(held, dict) else []
        if not inside or not isinstance(inside[0], dict):
            break
        held = inside[0]
    if not isinstance(held, dict):
        raise MalformedDataError(f"'{source}': holds a {type(held).__name__}, expected a state dict")
    state = {name: value for name, value in held.items() if isinstance(value, Tensor)}
    if not state or not all(isinstance(name, str) for name in state):
        some = ", ".join(map(repr, list(held)[:4]))
        raise MalformedDataError(
            f"'{source}': no weights by name, expected a state dict; it has {some or 'nothing'}"
        )
    for name, value in state.items():
        if value.layout != torch.strided or value.is_quantized or value.is_meta:
            raise MalformedDataError(
                f"'{source}': '{name}' is sparse, quantised or without values, expected a plain tensor"
            )
        # Strides of 0 or that overlap: what is small in the file would unfold to any size.
        if value.nbytes > value.untyped_storage().nbytes():
            raise MalformedDataError(
                f"'{source}': '{name}' is {value.nbytes} bytes out of {value.untyped_storage().nbytes()} in "
                "the file, expected a plain tensor"
            )
    if (total := sum(value.nbytes for value in state.values())) > source.stat().st_size:
        raise MalformedDataError(f"'{source}': its {total} bytes of weights are more than the file has")
    return _plain_names(state)


def _plain_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    if not all(name.startswith(_PARALLEL) for name in state):
        return state
    return {name.removeprefix(_PARALLEL): value for name, value in state.items()}


def _damaged(source: Path) -> MalformedDataError:
    return MalformedDataError(f"'{source}': cut off or damaged; copy or download it again")
