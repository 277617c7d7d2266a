"""Weights from files of others and our own: read with care, and put where they belong."""

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from spinekit import _engine
from spinekit._core import MalformedDataError

#: Of a .safetensors file's metadata: where a network's description is kept.
METADATA_KEY = "spinekit"


def read_weights(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Return the tensors of a file by name, and the network's description where there is one."""
    source = _engine.path_of(path)
    return _read_safetensors(source)


def _read_safetensors(source: Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    try:
        with safe_open(source, "pt") as file:
            metadata = file.metadata() or {}
            # Copies: what safetensors maps would change, or fault, when somebody writes to the file.
            state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no mapping
    except OSError as failure:
        raise _engine.os_error(source, "cannot be read", failure) from failure
    except SafetensorError as failure:
        raise MalformedDataError(f"'{source}': {failure}, expected a whole .safetensors file") from failure
    if METADATA_KEY not in metadata:
        return state, None
    try:
        configuration = json.loads(metadata[METADATA_KEY])
    except ValueError as failure:
        raise MalformedDataError(f"'{source}': its configuration is no JSON: {failure}") from failure
    if not isinstance(configuration, dict):
        raise MalformedDataError(f"'{source}': its configuration is no JSON object")
    return state, configuration
