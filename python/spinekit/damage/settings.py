"""Options of a search for damage: checked, and scaled to a scan."""

import math
import operator
import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spinekit import _core
from spinekit._core import ArgumentError

BOUNDARIES = ("none", "brightness", "edges")
AT_BOUNDARY = ("keep", "remove")
NUMBERINGS = ("grid", "row", "column", "simple")

_UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KIB": 1 << 10,
    "MIB": 1 << 20,
    "GIB": 1 << 30,
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMG]?i?B?)\s*", re.IGNORECASE)

#: Found boundaries are a pixel too large, where a closing has an even size.
FOUND_MARGIN = 10

#: What a search may take, unless it is told.
MEMORY = "128 MB"
#: Below this a table of colours and the rows of a wide scan do not find room.
LEAST_MEMORY = 48 * 10**6
_LARGEST = 1 << 40
_LARGEST_KERNEL = 999


@dataclass(frozen=True)
class DamageSettings:
    """How pieces are told and numbered; for what each means see `spinekit.find_damage`.

    Raises
    ------
    ArgumentError
        If an option cannot be.
    """

    boundary: str | tuple[int, int, int, int] = "none"
    at_boundary: str = "keep"
    margin: int | None = None
    kernel: int = 3
    join: bool = False
    morph_size: int = 9
    min_area: int = 50
    max_area: int | None = None
    numbering: str = "grid"
    grid: int = 500
    epsilon: float = 0.9
    scale: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.boundary, str):
            _check_word("boundary", self.boundary, BOUNDARIES, " or a box (x, y, width, height)")
        else:
            object.__setattr__(self, "boundary", _box(self.boundary))
        _check_word("at_boundary", self.at_boundary, AT_BOUNDARY)
        _check_word("numbering", self.numbering, NUMBERINGS)
        least = {"margin": 0, "kernel": 1, "morph_size": 1, "min_area": 0, "max_area": 1, "grid": 1}
        for name, lowest in least.items():
            value = getattr(self, name)
            if value is None and name in ("margin", "max_area"):
                continue
            object.__setattr__(self, name, _number(name, value, lowest))
        for name in ("join", "scale"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ArgumentError(f"{name}: {getattr(self, name)!r}, expected True or False")
            object.__setattr__(self, name, bool(getattr(self, name)))
        if self.max_area is not None and self.max_area < self.min_area:
            raise ArgumentError(f"max_area: {self.max_area}, expected at least min_area, {self.min_area}")
        number = isinstance(self.epsilon, int | float | np.number) and not isinstance(self.epsilon, bool)
        if not number or not 0 <= self.epsilon < math.inf:
            raise ArgumentError(f"epsilon: {self.epsilon!r}, expected pixels, 0 or more")
        object.__setattr__(self, "epsilon", float(self.epsilon))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = asdict(self)
        if not isinstance(self.boundary, str):
            found["boundary"] = list(self.boundary)
        return found

    def sizes(self, rows: int, columns: int) -> dict[str, int]:
        """Return min_area, max_area (0: none), kernel, join, cell and margin in pixels of a scan."""
        margin = self.margin
        if margin is None:
            margin = FOUND_MARGIN if isinstance(self.boundary, str) else 0
        if self.scale:
            return _core.scaled_sizes(
                columns,
                rows,
                min_area=self.min_area,
                max_area=self.max_area or 0,
                kernel=self.kernel,
                join=self.morph_size,
                cell=self.grid,
                margin=margin,
            )
        return {
            "min_area": self.min_area,
            "max_area": self.max_area or 0,
            "kernel": self.kernel | 1,
            "join": self.morph_size | 1,
            "cell": self.grid,
            "margin": margin,
        }

    def options(self, rows: int, columns: int) -> _core.PieceOptions:
        """Return the engine's options for a scan, still without a boundary and a limit."""
        sizes = self.sizes(rows, columns)
        options = _core.PieceOptions()
        for name, size in (("kernel", "kernel"), ("morph_size", "join")):
            if sizes[size] > _LARGEST_KERNEL:
                raise ArgumentError(
                    f"{name}: {getattr(self, name)} is {sizes[size]} pixels of this scan, expected at most "
                    f"{_LARGEST_KERNEL}"
                )
        options.cleaning = _core.CleaningOptions(
            opening=sizes["kernel"], join=sizes["join"] if self.join else 0
        )
        options.min_area, options.max_area = sizes["min_area"], sizes["max_area"]
        options.numbering = _core.Numbering[self.numbering.upper()]
        options.cell, options.epsilon = sizes["cell"], float(self.epsilon)
        return options


def bytes_of(size: int | str) -> int:
    """Return a number of bytes that was given as one, or as "200 MB".

    Raises
    ------
    ArgumentError
        If it is none, or less than the work needs in any case.
    """
    count: float | None = None
    if isinstance(size, str):
        found = _SIZE.fullmatch(size)
        if found and found[2].upper() in _UNITS:
            count = float(found[1]) * _UNITS[found[2].upper()]
    elif not isinstance(size, bool):
        try:
            count = operator.index(size)
        except TypeError:
            count = None
    if count is None:
        raise ArgumentError(f"memory_limit: {size!r}, expected bytes, or a size such as '200 MB'")
    if not LEAST_MEMORY <= count <= _LARGEST:
        raise ArgumentError(
            f"memory_limit: {size!r}, expected at least {LEAST_MEMORY // 10**6} MB, and at most 1 TiB"
        )
    return int(count)


def _check_word(name: str, value: Any, words: tuple[str, ...], more: str = "") -> None:
    if value not in words:
        expected = ", ".join(map(repr, words[:-1])) + (f", {words[-1]!r}" if more else f" or {words[-1]!r}")
        raise ArgumentError(f"{name}: {value!r}, expected {expected}{more}")


def _number(name: str, value: Any, least: int) -> int:
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= _LARGEST:
        raise ArgumentError(f"{name}: {value!r}, expected a whole number of pixels, {least} or more")
    return number


def _box(box: Any) -> tuple[int, int, int, int]:
    try:
        x, y, width, height = (operator.index(value) for value in box)
    except (TypeError, ValueError):
        modes = ", ".join(map(repr, BOUNDARIES))
        raise ArgumentError(
            f"boundary: {box!r}, expected one of {modes}, or four whole numbers (x, y, width, height)"
        ) from None
    return x, y, width, height
