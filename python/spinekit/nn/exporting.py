"""Networks as TorchScript, which runs where there is no Python."""

import io
import json
import os
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spinekit import _engine
from spinekit._core import ArgumentError
from spinekit.nn.network import Network


class _OneSize(nn.Module):
    """A network that refuses films of another size, traced as well: constants inside hold for one alone."""

    def __init__(self, model: Network, rows: int, columns: int) -> None:
        super().__init__()
        self.model = model
        self._sides = rows, columns

    def forward(self, films: Tensor) -> Tensor:
        # Checks of Python are not traced; these refuse other sides, one by one, and leave the rest as it is.
        # Both at once would take 64 x 96 for 96 x 64, and `expand` would stretch sides of 1.
        number, channels, _, width = films.shape
        films = films.view(number, channels, self._sides[0], width)
        return self.model(films.view(number, channels, *self._sides))


def export_torchscript(
    model: Network, path: str | os.PathLike[str], size: int | Sequence[int] | None = None
) -> None:
    """Write a network as a traced TorchScript file, which appears whole or not at all.

    Parameters
    ----------
    model : any network of this package; traced in evaluation mode, and left as it was
    path : what is there is replaced
    size : (rows, columns) of films that the file is for, or one number for both; None for the size in the
        network's configuration

    Raises
    ------
    ArgumentError
        If `model` is no network of this package, or does not take the size.
    ResourceError
        If the file cannot be written.

    Notes
    -----
    Takes films (n, channels, rows, columns) of that size alone, and gives logits. The file carries, as its
    extra file "spinekit", the JSON object that `save` writes.
    """
    if not isinstance(model, Network):
        raise ArgumentError(f"model: {type(model).__name__}, expected a network of spinekit.nn")
    target = _engine.path_of(path)
    description = model.description()
    rows, columns = [size, size] if isinstance(size, int) else list(size or description["size"])
    description["size"] = [rows, columns]
    first = next(model.parameters())
    films = torch.zeros(1, description["channels"], rows, columns, dtype=first.dtype, device=first.device)
    training = model.training
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # torch means to drop tracing one day; and that sizes turn into constants is what is wanted here.
            warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
            warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
            traced = torch.jit.trace(_OneSize(model.eval(), rows, columns), films, check_trace=False)
            buffer = io.BytesIO()
            torch.jit.save(traced, buffer, {"spinekit": json.dumps(description, allow_nan=False)})
    finally:
        model.train(training)
    _engine.write_file(target, buffer.getvalue())
