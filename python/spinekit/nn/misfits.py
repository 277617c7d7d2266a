"""What of a checkpoint does not fit a network, in one message."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from spinekit._core import ArgumentError

#: Named of each kind; the message says how many there are.
_NAMED = 3


class Misfits:
    """What two sets of weights by name do not have in common.

    Attributes
    ----------
    wrong : (name, shape in the file, shape expected)
    missing : names that the network has and the file lacks
    unexpected : names that the file has and the network lacks
    """

    def __init__(self) -> None:
        self.wrong: list[tuple[str, Any, Any]] = []
        self.missing: list[str] = []
        self.unexpected: list[str] = []

    @classmethod
    def of(cls, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> "Misfits":
        """Compare weights with those of a network, in the network's order."""
        found = cls()
        for name, tensor in expected.items():
            if name not in state:
                found.missing.append(name)
            elif state[name].shape != tensor.shape:
                found.wrong.append((name, state[name].shape, tensor.shape))
        found.unexpected = [name for name in state if name not in expected]
        return found

    def __str__(self) -> str:
        """All kinds, with their number and the first few of each; empty if there are none."""
        shapes = (f"'{name}': {_text(got)}, expected {_text(expected)}" for name, got, expected in self.wrong)
        parts = [
            _listed(len(self.wrong), "of another shape", shapes),
            _listed(len(self.missing), "missing", map(repr, self.missing)),
            _listed(len(self.unexpected), "unexpected", map(repr, self.unexpected)),
        ]
        return "; ".join(filter(None, parts))

    def check(self, source: Path) -> None:
        """Raise an ArgumentError that names the file if there are any."""
        if text := str(self):
            raise ArgumentError(f"'{source}' does not fit this network: {text}")


def _listed(number: int, what: str, names: Iterable[str]) -> str:
    if not number:
        return ""
    first = [name for name, _ in zip(names, range(_NAMED), strict=False)]
    more = [f"and {number - _NAMED} more"] if number > _NAMED else []
    return f"{number} {what}: {', '.join(first + more)}"


def _text(shape: Iterable[Any]) -> str:
    return f"({', '.join(map(str, shape))})"
