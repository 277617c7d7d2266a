"""What the preprocessing ensemble does, in a form that weights can carry with them."""

import dataclasses
import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from spinekit import _core
from spinekit._core import ArgumentError

#: The versions of a film, in the order of the channels.
VERSIONS: tuple[str, ...] = tuple(_core.pen_versions())

Levels = tuple[float, float] | Literal["film"] | None

_Number = TypeVar("_Number", int, float)


def pair(name: str, value: Any, kind: Callable[[Any], _Number]) -> tuple[_Number, _Number]:
    """Return two numbers, or say by its name what has none."""
    try:
        first, second = (kind(number) for number in value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name}: {value!r}, expected two numbers") from None
    return first, second


def mapping(levels: Levels, bits: int | None) -> _core.GreyMapping:
    """Return the engine's word for which grey levels become which integers."""
    if bits not in (None, 8, 16):
        raise ArgumentError(f"bits: {bits!r}, expected 8, 16 or None")
    if levels is None or (isinstance(levels, str) and levels == "film"):
        return _core.GreyMapping(None, levels is not None, bits or 0)
    if isinstance(levels, str):
        raise ArgumentError(f"levels: {levels!r}, expected (low, high), 'film' or None")
    return _core.GreyMapping(pair("levels", levels, float), False, bits or 0)


@dataclasses.dataclass(frozen=True)
class PenSettings:
    """Settings of the preprocessing ensemble (PEN).

    What training used, inference must use: `to_dict` goes into the metadata of weights.

    Attributes
    ----------
    channels : 6, or 5, which leave one version out
    leave_out : the one of `VERSIONS` that 5 channels are without. By default ``"stretched"``: clamped, but
        else a multiple of the original, from which a first convolution can have it
    clip_limit : of CLAHE, in multiples of the mean of a tile's histogram, >= 0; 0 means no limit
    tiles : of CLAHE, (down, across), 1 to 64 of each
    sharpening : 0 to 100, how much of its difference from each of its four neighbours a pixel gets; 1 is
        the kernel ``[[0, -1, 0], [-1, 5, -1], [0, -1, 0]]``
    percentiles : (low, high) that stretching brings to the lowest and the highest level
    levels : (low, high), the grey levels of the film that become the lowest and the highest one; ``"film"``
        takes the film's least and greatest; None leaves integers as they are, and is ``"film"`` for float32
    bits : 8 or 16, of the integers that the filters work on; None: the film's own, 16 for float32

    Raises
    ------
    ArgumentError
        If a setting is none of these.

    Notes
    -----
    CLAHE limits nothing where tiles have fewer pixels than there are levels, for its limit is at least one
    pixel a level: on films of 16 bits that were made small, it enhances noise as if ``clip_limit`` were 0.
    Films of 12 bits in 16 stay dark as "original". ``levels="film", bits=8`` has neither, and is fast.

    Examples
    --------
    >>> settings = PenSettings(channels=5, levels="film", bits=8)
    >>> settings.versions
    ('original', 'clahe', 'clahe_twice', 'sharpened_clahe', 'sharpened_clahe_twice')
    >>> PenSettings.from_dict(settings.to_dict()) == settings
    True
    """

    channels: int = 6
    leave_out: str | None = None
    clip_limit: float = 2.0
    tiles: tuple[int, int] = (8, 8)
    sharpening: float = 1.0
    percentiles: tuple[float, float] = (2.0, 98.0)
    levels: Levels = None
    bits: int | None = None

    def __post_init__(self) -> None:
        if self.channels not in (5, 6):
            raise ArgumentError(f"channels: {self.channels!r}, expected 5 or 6")
        if self.channels == 5 and self.leave_out is None:
            self._set("leave_out", "stretched")
        if self.channels == 6 and self.leave_out is not None:
            raise ArgumentError(
                f"leave_out: {self.leave_out!r}, expected None; only channels=5 leaves one out"
            )
        if self.leave_out not in (None, *VERSIONS):
            raise ArgumentError(f"leave_out: {self.leave_out!r}, expected one of {', '.join(VERSIONS)}")
        # Equal settings are of equal types, also when they come from JSON, which has no tuples.
        self._set("tiles", pair("tiles", self.tiles, operator.index))
        self._set("percentiles", pair("percentiles", self.percentiles, float))
        if not isinstance(self.levels, str | None):
            self._set("levels", pair("levels", self.levels, float))
        for name in ("clip_limit", "sharpening"):
            try:
                self._set(name, float(getattr(self, name)))
            except (TypeError, ValueError):
                raise ArgumentError(f"{name}: {getattr(self, name)!r}, expected a number") from None
        self.options()

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of the film that are its channels."""
        return tuple(version for version in VERSIONS if version != self.leave_out)

    def options(self) -> _core.PenOptions:
        """Return what the engine takes."""
        bits = sum(1 << k for k, version in enumerate(VERSIONS) if version != self.leave_out)
        try:
            return _core.PenOptions(
                mapping(self.levels, self.bits),
                self.clip_limit,
                self.tiles,
                self.sharpening,
                self.percentiles,
                bits,
            )
        except TypeError:  # an integer that no 64 bits hold
            raise ArgumentError(f"tiles: {self.tiles}, expected 1 to 64 of each") from None

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        found = dataclasses.asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "PenSettings":
        """Return settings from what `to_dict` gave; those that are missing are the default ones.

        Raises
        ------
        ArgumentError
            If there is a setting that is not known: the result would not be what was meant.
        """
        unknown = sorted(set(settings) - _names())
        if unknown:
            raise ArgumentError(f"unknown settings: {unknown}, expected some of {sorted(_names())}")
        return cls(**settings)


def _names() -> set[str]:
    return {field.name for field in dataclasses.fields(PenSettings)}


def changed(settings: PenSettings | None, changes: Mapping[str, Any]) -> PenSettings:
    """Return settings with some replaced."""
    unknown = sorted(set(changes) - _names())
    if unknown:
        raise TypeError(f"unknown settings: {unknown}, expected some of {sorted(_names())}")
    known = {} if settings is None else settings.to_dict()
    if known.get("channels") == 5 and changes.get("channels") == 6:
        known["leave_out"] = None
    return PenSettings(**{**known, **changes})
