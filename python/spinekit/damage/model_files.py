"""Colour models as dictionaries and JSON; what is read is checked, and its errors say where."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from spinekit import _core
from spinekit._core import ArgumentError, MalformedDataError
from spinekit.damage.fitting import ColorComponent

FORMAT = "spinekit colour model"
VERSION = 1
FEATURES = "L, a, b, S as OpenCV scales them to 8 bits"
RULES = ("mahalanobis", "qda")

_FIELDS = {"format", "version", "features", "rule", "reject", "classes"}
_CLASS_FIELDS = {"name", "damage", "components"}
_COMPONENT_FIELDS = {"mean", "covariance", "weight"}


def engine_model(
    components: Sequence[ColorComponent], classes: Sequence[str], rule: str, reject: float | None
) -> _core.ColourModel:
    """Return the engine's word for a model; the label of a class is its place."""
    gaussians = [
        (one.mean.tolist(), one.covariance, one.weight, classes.index(one.name)) for one in components
    ]
    return _core.ColourModel(gaussians, rule == "qda", math.inf if reject is None else reject)


def written(
    rule: str,
    reject: float | None,
    classes: Iterable[str],
    damage: Iterable[str],
    components: Iterable[ColorComponent],
) -> dict[str, Any]:
    """Return a model as JSON can hold it."""
    found = list(components)
    harmful = set(damage)
    return {
        "format": FORMAT,
        "version": VERSION,
        "features": FEATURES,
        "rule": rule,
        "reject": reject,
        "classes": [
            {
                "name": name,
                "damage": name in harmful,
                "components": [
                    {
                        "mean": component.mean.tolist(),
                        "covariance": component.covariance.tolist(),
                        "weight": component.weight,
                    }
                    for component in found
                    if component.name == name
                ],
            }
            for name in classes
        ],
    }


def read(found: Any) -> dict[str, Any]:
    """Return the arguments of a model from what `written` gave; messages begin with the key."""
    _keys(found, _FIELDS, "")
    if found["format"] != FORMAT:
        raise MalformedDataError(f"format: {_short(found['format'])}, expected {FORMAT!r}")
    if found["version"] != VERSION or isinstance(found["version"], bool):
        raise MalformedDataError(
            f"version: {_short(found['version'])}, expected {VERSION}; a later spinekit may read it"
        )
    if found["features"] != FEATURES:
        raise MalformedDataError(f"features: {_short(found['features'])}, expected {FEATURES!r}")
    if found["rule"] not in RULES:
        raise MalformedDataError(f"rule: {_short(found['rule'])}, expected one of {', '.join(RULES)}")
    reject = None if found["reject"] is None else _positive(found["reject"], "reject")
    names: list[str] = []
    damage: list[str] = []
    components: list[ColorComponent] = []
    for k, entry in enumerate(_list(found["classes"], "classes")):
        where = f"classes[{k}]"
        _keys(entry, _CLASS_FIELDS, where)
        name = entry["name"]
        if not isinstance(name, str) or not name or name in names:
            raise MalformedDataError(f"{where}.name: {_short(name)}, expected a name that no other class has")
        if not isinstance(entry["damage"], bool):
            raise MalformedDataError(f"{where}.damage: {_short(entry['damage'])}, expected true or false")
        names.append(name)
        if entry["damage"]:
            damage.append(name)
        components += [
            _component(one, name, f"{where}.components[{n}]")
            for n, one in enumerate(_list(entry["components"], f"{where}.components"))
        ]
    return {
        "classes": names,
        "damage": damage,
        "rule": found["rule"],
        "reject": reject,
        "components": components,
    }


def _component(found: Any, name: str, where: str) -> ColorComponent:
    _keys(found, _COMPONENT_FIELDS, where)
    rows = _list(found["covariance"], f"{where}.covariance", 4)
    covariance = [_numbers(row, f"{where}.covariance[{k}]") for k, row in enumerate(rows)]
    mean = _numbers(found["mean"], f"{where}.mean")
    weight = _positive(found["weight"], f"{where}.weight")
    made = ColorComponent(name, np.array(mean), np.array(covariance), weight)
    try:
        engine_model([made], [name], "mahalanobis", None)
    except ArgumentError as failure:
        raise MalformedDataError(f"{where}: {str(failure).removeprefix('component 1: ')}") from None
    return made


def _keys(found: Any, expected: set[str], where: str) -> None:
    at = f"{where}: " if where else ""
    if not isinstance(found, Mapping):
        raise MalformedDataError(
            f"{at}{_short(found)}, expected an object with {', '.join(sorted(expected))}"
        )
    missing, unknown = sorted(expected - set(found)), sorted(map(str, set(found) - expected))
    if missing:
        raise MalformedDataError(f"{at}'{missing[0]}' is missing")
    if unknown:
        raise MalformedDataError(
            f"{at}{_short(unknown[0])} is unknown, expected {', '.join(sorted(expected))}"
        )


def _list(found: Any, where: str, size: int = 0) -> list[Any]:
    if not isinstance(found, list) or not found or (size and len(found) != size):
        wanted = f"a list of {size}" if size else "a list of at least one"
        raise MalformedDataError(f"{where}: {_short(found)}, expected {wanted}")
    return found


def _numbers(found: Any, where: str) -> list[float]:
    return [_number(value, f"{where}[{k}]") for k, value in enumerate(_list(found, where, 4))]


def _number(found: Any, where: str) -> float:
    try:
        value = math.nan if isinstance(found, bool | str) else float(found)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise MalformedDataError(f"{where}: {_short(found)}, expected a finite number")
    return value


def _positive(found: Any, where: str) -> float:
    value = _number(found, where)
    if not value > 0:
        raise MalformedDataError(f"{where}: {_short(found)}, expected a number above 0")
    return value


def _short(found: Any) -> str:
    try:
        text = repr(found)
    except (RecursionError, ValueError):  # a whole number of thousands of digits
        text = type(found).__name__
    return text if len(text) <= 60 else text[:57] + "..."
