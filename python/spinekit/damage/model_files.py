"""Colour models as dictionaries and JSON; what is read is checked, and its errors say where."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from spinekit import _core
from spinekit._core import ArgumentError, MalformedDataError
from spinekit.damage import checks
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
    checks.expect_keys(found, _FIELDS, "")
    checks.expect_format(found, FORMAT, VERSION)
    if found["features"] != FEATURES:
        raise MalformedDataError(f"features: {checks.short(found['features'])}, expected {FEATURES!r}")
    if found["rule"] not in RULES:
        raise MalformedDataError(f"rule: {checks.short(found['rule'])}, expected one of {', '.join(RULES)}")
    reject = None if found["reject"] is None else checks.positive(found["reject"], "reject")
    names: list[str] = []
    damage: list[str] = []
    components: list[ColorComponent] = []
    for k, entry in enumerate(checks.items(found["classes"], "classes")):
        where = f"classes[{k}]"
        checks.expect_keys(entry, _CLASS_FIELDS, where)
        name = entry["name"]
        if not isinstance(name, str) or not name or name in names:
            raise MalformedDataError(
                f"{where}.name: {checks.short(name)}, expected a name that no other class has"
            )
        if not isinstance(entry["damage"], bool):
            raise MalformedDataError(
                f"{where}.damage: {checks.short(entry['damage'])}, expected true or false"
            )
        names.append(name)
        if entry["damage"]:
            damage.append(name)
        components += [
            _component(one, name, f"{where}.components[{n}]")
            for n, one in enumerate(checks.items(entry["components"], f"{where}.components"))
        ]
    return {
        "classes": names,
        "damage": damage,
        "rule": found["rule"],
        "reject": reject,
        "components": components,
    }


def _component(found: Any, name: str, where: str) -> ColorComponent:
    checks.expect_keys(found, _COMPONENT_FIELDS, where)
    rows = checks.items(found["covariance"], f"{where}.covariance", 4)
    covariance = [checks.numbers(row, f"{where}.covariance[{k}]", 4) for k, row in enumerate(rows)]
    mean = checks.numbers(found["mean"], f"{where}.mean", 4)
    weight = checks.positive(found["weight"], f"{where}.weight")
    made = ColorComponent(name, np.array(mean), np.array(covariance), weight)
    try:
        engine_model([made], [name], "mahalanobis", None)
    except ArgumentError as failure:
        raise MalformedDataError(f"{where}: {str(failure).removeprefix('component 1: ')}") from None
    return made
