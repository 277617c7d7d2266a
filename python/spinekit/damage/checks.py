"""What must be in JSON that people may have changed; messages begin with the key."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from spinekit._core import MalformedDataError


def expect_keys(found: Any, expected: Collection[str], where: str, optional: Collection[str] = ()) -> None:
    """Check that something is an object with certain keys, and no others than those and the optional ones."""
    at = f"{where}: " if where else ""
    if not isinstance(found, Mapping):
        raise MalformedDataError(f"{at}{short(found)}, expected an object with {', '.join(sorted(expected))}")
    missing = sorted(set(expected) - set(found))
    unknown = sorted(map(str, set(found) - set(expected) - set(optional)))
    if missing:
        raise MalformedDataError(f"{at}'{missing[0]}' is missing")
    if unknown:
        known = ", ".join(sorted({*expected, *optional}))
        raise MalformedDataError(f"{at}{short(unknown[0])} is unknown, expected {known}")


def expect_format(found: Mapping[str, Any], name: str, version: int) -> None:
    """Check a file's format and version."""
    if found["format"] != name:
        raise MalformedDataError(f"format: {short(found['format'])}, expected {name!r}")
    if found["version"] != version or isinstance(found["version"], bool):
        raise MalformedDataError(
            f"version: {short(found['version'])}, expected {version}; a later spinekit may read it"
        )


def items(found: Any, where: str, size: int = 0) -> list[Any]:
    """Return a list that is not empty, or of a size."""
    if not isinstance(found, list) or not found or (size and len(found) != size):
        wanted = f"a list of {size}" if size else "a list of at least one"
        raise MalformedDataError(f"{where}: {short(found)}, expected {wanted}")
    return found


def numbers(found: Any, where: str, size: int) -> list[float]:
    """Return a list of finite numbers."""
    return [number(value, f"{where}[{k}]") for k, value in enumerate(items(found, where, size))]


def number(found: Any, where: str) -> float:
    """Return a finite number."""
    try:
        value = math.nan if isinstance(found, bool | str) else float(found)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise MalformedDataError(f"{where}: {short(found)}, expected a finite number")
    return value


def positive(found: Any, where: str) -> float:
    """Return a finite number above 0."""
    value = number(found, where)
    if not value > 0:
        raise MalformedDataError(f"{where}: {short(found)}, expected a number above 0")
    return value


def whole(found: Any, where: str, least: int) -> int:
    """Return a whole number that is not below `least`, and fits into 31 bits as sizes of scans do."""
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found < 2**31:
        raise MalformedDataError(f"{where}: {short(found)}, expected a whole number of at least {least}")
    return found


def text(found: Any, where: str) -> str:
    """Return a text."""
    if not isinstance(found, str):
        raise MalformedDataError(f"{where}: {short(found)}, expected a text")
    return found


def short(found: Any) -> str:
    """Return something as messages show it."""
    try:
        shown = repr(found)
    except (RecursionError, ValueError):  # a whole number of thousands of digits
        shown = type(found).__name__
    return shown if len(shown) <= 60 else shown[:57] + "..."
