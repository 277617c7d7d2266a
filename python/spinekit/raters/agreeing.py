"""How far two raters, or more, agree: errors, correlation, intraclass correlation, Bland-Altman."""

import dataclasses
import difflib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError
from spinekit.raters import reading, reliability
from spinekit.raters.result import Agreement, ParameterAgreement

__all__ = ["Agreement", "ParameterAgreement", "agreement"]

Values = NDArray[np.float64]


def agreement(
    ours: Any,
    theirs: Any,
    *others: Any,
    parameters: Sequence[str] | None = None,
    by: str | None = None,
    names: Sequence[str] | None = None,
) -> Agreement:
    """Compare what two raters measured on the same films; more raters enter the ICC.

    Parameters
    ----------
    ours, theirs, *others : what a rater found, each in any of these forms:

        - the path of a CSV file: a row for each film, a column of ids, a column for each parameter
          (separated by ``,`` ``;`` or tabs; UTF-8)
        - a data frame; without an id column its index holds the ids
        - a mapping of ids to measurements, or a list of them: mappings, or what has ``to_dict()``; numbers
          within mappings get names such as ``segmental.L4-S1``
        - a mapping of parameters to values, one for each film
        - numbers, shape (films,) or (films, parameters)

        NaN, None, an empty cell, "n/a" and the like: not completed.
    parameters : names of those to compare, None for all that every rater has, but for columns ``… low`` and
        ``… high`` beside a parameter's own; they name an array's columns
    by : name of the column of ids; None takes the first called id, film, image, case, file, filename,
        subject, patient, name or source, and of a CSV file without one its first column. Without ids rows
        match by their order.
    names : of the raters, for tables and pictures; None for "ours", "theirs", "rater 3" ...

    Returns
    -------
    agreement : to print, to show in a notebook, to index by parameter; ``.plot()``, ``.to_csv(path)``,
        ``.to_html(path)``, ``.to_json(path)``

    Raises
    ------
    ArgumentError
        If nothing matches: no film in common, no parameter in common, fewer than two films that both
        completed in any parameter, or every value the same; an id twice; text among numbers.
    MalformedDataError
        If a CSV file cannot be read so; the message names line and column.

    Notes
    -----
    Parameters match by name whatever the case. All films that a rater names count for every rater's
    completion: one that a rater does not have was not completed. What is not defined (a correlation of
    constant values, an interval of fewer than four films) is NaN, and `reason` says why.

    References
    ----------
    Shrout and Fleiss, Intraclass correlations: uses in assessing rater reliability, 1979,
    doi:10.1037/0033-2909.86.2.420. McGraw and Wong, Forming inferences about some intraclass correlation
    coefficients, 1996, doi:10.1037/1082-989X.1.1.30. Bland and Altman, Measuring agreement in method
    comparison studies, 1999, doi:10.1177/096228029900800204.

    Examples
    --------
    The peak flow of 17 people by two meters (Bland and Altman 1986); reading l/min:

    >>> wright = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
    >>> mini = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
    >>> found = agreement({"PEFR": wright}, {"PEFR": mini})["PEFR"]
    >>> round(found.bias.value, 1), round(found.sd, 1)
    (-2.1, 38.8)
    """
    sources = (ours, theirs, *others)
    raters = _rater_names(names, len(sources))
    if isinstance(parameters, str):
        raise ArgumentError(f"parameters is {parameters!r}, expected a list of names")
    tables = [
        reading.read_ratings(source, name, by, parameters)
        for source, name in zip(sources, raters, strict=True)
    ]
    shared = _shared_parameters(tables, parameters)
    ids, rows = reading.matched(tables)
    values: dict[str, Values] = {}
    notes = _matching_notes(tables, raters, ids, rows)
    for name in shared:
        columns = [table.numbers(name.strip().casefold()) for table in tables]
        if parameters is None and _is_text(columns):
            continue
        ratings = np.full((len(ids), len(tables)), np.nan)
        for k, (table, column) in enumerate(zip(tables, columns, strict=True)):
            if column is None:
                cell = next(c for c in table.columns[table.keys[name.strip().casefold()]] if c)
                raise table.error(f"{table.where}, column {name!r}: {cell!r}, expected numbers")
            there = [i for i, row in enumerate(rows[k]) if row is not None]
            ratings[there, k] = column[[row for row in rows[k] if row is not None]]
        values[name] = ratings
    if not values:
        raise ArgumentError(f"no parameter has numbers: {shared} are text")
    left_out = [name for name in shared if name not in values]
    if left_out:
        notes.append(f"left out as text: {', '.join(left_out)}")
    records = [_compare(name, ratings, raters) for name, ratings in values.items()]
    if all(record.n < 2 for record in records):
        counts = ", ".join(f"{record.parameter} {record.n}" for record in records)
        raise ArgumentError(f"films that both completed: {counts}; expected at least 2 of one parameter")
    if all(math.isnan(r.pearson.value) and math.isnan(r.icc_1_1.value) for r in records):
        raise ArgumentError(
            f"every value of {', '.join(values)} is the same: nothing to tell films apart by, "
            "so agreement is not defined"
        )
    return Agreement(records, raters, ids, values, notes)


def _rater_names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return ("ours", "theirs", *(f"rater {k}" for k in range(3, count + 1)))
    if isinstance(names, str) or len(names) != count or len(set(names)) != count:
        raise ArgumentError(f"names is {names!r}, expected {count} different names")
    return tuple(names)


def _shared_parameters(tables: list[reading.Ratings], parameters: Sequence[str] | None) -> list[str]:
    if parameters is not None:
        for table in tables:
            for name in parameters:
                if name.strip().casefold() not in table.keys:
                    raise ArgumentError(
                        f"{table.where}: no parameter {name!r}, there are {reading.some(table.columns)}"
                        + _alike(name, table)
                    )
        return list(dict.fromkeys(parameters))
    shared = [
        name
        for key, name in tables[0].keys.items()
        if all(key in table.keys for table in tables) and not _is_interval(key, tables[0])
    ]
    if not shared:
        have = "; ".join(f"{table.where} has {reading.some(table.columns)}" for table in tables)
        raise ArgumentError(f"no common parameters: {have}")
    return shared


def _alike(name: str, table: reading.Ratings) -> str:
    """Return what may have been meant, as the end of a message."""
    found = difflib.get_close_matches(name.strip().casefold(), table.keys)
    return f"; did you mean {' or '.join(repr(table.keys[key]) for key in found)}?" if found else ""


def _is_text(columns: Sequence[Values | None]) -> bool:
    """Return whether a parameter is text for some raters, and without numbers for the others."""
    numbers = [column for column in columns if column is not None]
    return len(numbers) < len(columns) and all(np.isnan(column).all() for column in numbers)


def _is_interval(key: str, table: reading.Ratings) -> bool:
    """Return whether a column is one end of another's interval, as `measure_files` writes them."""
    base, _, end = key.rpartition(" ")
    return end in ("low", "high") and base in table.keys


def _matching_notes(
    tables: list[reading.Ratings], raters: tuple[str, ...], ids: list[str], rows: list[list[int | None]]
) -> list[str]:
    notes = []
    for table, name, places in zip(tables, raters, rows, strict=True):
        if table.guessed:
            notes.append(f"ids of {table.where} are its first column, {table.id_column!r}")
        missing = [one for one, row in zip(ids, places, strict=True) if row is None]
        if missing:
            shown = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
            count = "1 film is" if len(missing) == 1 else f"{len(missing)} films are"
            notes.append(f"{count} not in {name}, which counts as not completed: {shown}")
    return notes


def _compare(name: str, ratings: Values, raters: tuple[str, ...]) -> ParameterAgreement:
    known = ~np.isnan(ratings)
    completion = {rater: float(known[:, k].mean()) for k, rater in enumerate(raters)}
    both = ratings[known[:, :2].all(axis=1), :2]
    every = ratings[known.all(axis=1)]
    found = ParameterAgreement(name, len(both), icc_n=len(every), completion=completion)
    if len(both) < 2:
        return dataclasses.replace(found, reason=f"films completed by both: {len(both)}, expected at least 2")
    reasons = []
    spread = reliability.differences(both[:, 0], both[:, 1])
    correlation = reliability.pearson(both[:, 0], both[:, 1])
    if math.isnan(correlation.value):
        k = 0 if (both[:, 0] == both[0, 0]).all() else 1
        reasons.append(f"no correlation: every value of {raters[k]} is {both[0, k]:g}")
    elif math.isnan(correlation.low):
        reasons.append(f"no interval of the correlation: {len(both)} films, expected at least 4")
    if len(every) >= 2:
        coefficients = reliability.intraclass(every)
        if math.isnan(coefficients.icc_1_1.value):
            reasons.append("no ICC: every value is the same")
        icc = {field.name: getattr(coefficients, field.name) for field in dataclasses.fields(coefficients)}
    else:
        icc = {}
        reasons.append(
            f"no ICC: films completed by all {len(raters)} raters: {len(every)}, expected at least 2"
        )
    others = {field.name: getattr(spread, field.name) for field in dataclasses.fields(spread)}
    return dataclasses.replace(found, **others, **icc, pearson=correlation, reason="; ".join(reasons))
