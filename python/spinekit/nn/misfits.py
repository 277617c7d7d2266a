"""What of a checkpoint does not fit a network, in one message."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spinekit._core import ArgumentError

#: Named of each kind; the message says how many there are.
_NAMED = 3


class Misfits:
    """Collects names, and says them all at once.

    Attributes
    ----------
    wrong : (name, shape in the file, shape expected)
    missing : names that the network has and the file lacks
    unexpected : names that the file has and the network lacks
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self.wrong: list[tuple[str, Any, Any]] = []
        self.missing: list[str] = []
        self.unexpected: list[str] = []

    def check(self) -> None:
        """Raise an ArgumentError if there are any."""
        shapes = (f"'{name}': {_text(got)}, expected {_text(expected)}" for name, got, expected in self.wrong)
        parts = [
            _listed(len(self.wrong), "of another shape", shapes),
            _listed(len(self.missing), "missing", map(repr, self.missing)),
            _listed(len(self.unexpected), "unexpected", map(repr, self.unexpected)),
        ]
        if any(parts):
            raise ArgumentError(
                f"'{self._source}' does not fit this network: {'; '.join(filter(None, parts))}"
            )


def _listed(number: int, what: str, names: Iterable[str]) -> str:
    if not number:
        return ""
    first = [name for name, _ in zip(names, range(_NAMED), strict=False)]
    more = [f"and {number - _NAMED} more"] if number > _NAMED else []
    return f"{number} {what}: {', '.join(first + more)}"


def _text(shape: Iterable[Any]) -> str:
    return f"({', '.join(map(str, shape))})"
