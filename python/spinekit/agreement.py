"""How far two raters, or more, agree: errors, correlation, intraclass correlation, Bland-Altman."""

import csv
import dataclasses
import html
import io
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _ratings, _reliability
from spinekit._core import ArgumentError
from spinekit._reliability import UNDEFINED, Estimate

Values = NDArray[np.float64]
_NOTHING = "\N{EN DASH}"
#: The names of a record's intraclass correlations, and how papers write them.
_ICC = {f"icc_{case}_{k}": f"ICC({case},{k})" for k in "1k" for case in "123"}


@dataclasses.dataclass(frozen=True)
class ParameterAgreement:
    """One parameter; differences are ours minus theirs, in the parameter's own unit.

    Attributes
    ----------
    parameter : its name
    n : films completed by both
    bias : mean difference, Bland and Altman's bias
    sd : standard deviation of the differences
    mae, mae_sd : mean and standard deviation of the absolute difference
    rmse : root of the mean squared difference
    lower_limit, upper_limit : limits of agreement, bias -+ 1.96 SD
    pearson : correlation
    icc_1_1 ... icc_3_k : intraclass correlations of Shrout and Fleiss, over all raters
    icc_n : films completed by all raters, those that the intraclass correlations are of
    completion : share of all films that a rater completed, by the rater's name
    reason : why something is NaN, or empty
    """

    parameter: str
    n: int
    bias: Estimate = UNDEFINED
    sd: float = math.nan
    mae: float = math.nan
    mae_sd: float = math.nan
    rmse: float = math.nan
    lower_limit: Estimate = UNDEFINED
    upper_limit: Estimate = UNDEFINED
    pearson: Estimate = UNDEFINED
    icc_1_1: Estimate = UNDEFINED
    icc_2_1: Estimate = UNDEFINED
    icc_3_1: Estimate = UNDEFINED
    icc_1_k: Estimate = UNDEFINED
    icc_2_k: Estimate = UNDEFINED
    icc_3_k: Estimate = UNDEFINED
    icc_n: int = 0
    completion: dict[str, float] = dataclasses.field(default_factory=dict)
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return one level of plain values: an interval as ``…_low`` and ``…_high``, NaN as None."""
        found: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Estimate):
                found[field.name], found[f"{field.name}_low"], found[f"{field.name}_high"] = value
            elif isinstance(value, dict):
                found |= {f"completion_{name}": share for name, share in value.items()}
            else:
                found[field.name] = value
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in found.items()}


class Agreement:
    """What `agreement` returns: a record for each parameter; a table where it is printed or shown.

    Attributes
    ----------
    records : list of `ParameterAgreement`
    raters : their names
    ids : of all films
    values : by parameter, shape (films, raters), NaN where not completed
    notes : what was left out, and how films were matched
    """

    def __init__(
        self,
        records: list[ParameterAgreement],
        raters: tuple[str, ...],
        ids: list[str],
        values: dict[str, Values],
        notes: list[str],
    ) -> None:
        self.records = records
        self.raters = raters
        self.ids = ids
        self.values = values
        self.notes = notes

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[ParameterAgreement]:
        return iter(self.records)

    def __getitem__(self, parameter: str) -> ParameterAgreement:
        for record in self.records:
            if record.parameter == parameter:
                return record
        raise ArgumentError(f"no parameter {parameter!r}, there are {[r.parameter for r in self.records]}")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the values as plain values for JSON."""
        return {
            "spinekit": _core.__version__,
            "raters": list(self.raters),
            "films": len(self.ids),
            "notes": self.notes,
            "records": [record.to_dict() for record in self.records],
        }

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write raters, notes and records."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1) + "\n", "utf-8")

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line for each parameter, intervals as columns ``…_low`` and ``…_high``."""
        rows = [record.to_dict() for record in self.records]
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def to_html(self, path: str | os.PathLike[str], *, pictures: bool | None = None) -> None:
        """Write the table as a page of its own.

        Parameters
        ----------
        path : of the page
        pictures : with those of `plot`; None draws them where matplotlib is installed

        Raises
        ------
        UnsupportedError
            If pictures are asked for and matplotlib is not installed.
        """
        drawn = ""
        if pictures is not False:
            try:
                out = io.StringIO()
                self.plot().savefig(out, format="svg")
                drawn = out.getvalue()
                drawn = drawn[drawn.index("<svg") :]
            except _core.UnsupportedError:
                if pictures:
                    raise
        page = (
            "<!doctype html><meta charset='utf-8'><title>Agreement</title>"
            "<style>body{font:14px sans-serif;margin:2em;max-width:100em}td,th{padding:3px 10px}"
            "td{white-space:nowrap}svg{max-width:100%;height:auto}</style>"
            f"<h1>Agreement: {html.escape(' and '.join(self.raters))}</h1>"
            f"<p>spinekit {_core.__version__}, {time.strftime('%Y-%m-%d %H:%M:%S')}</p>"
            f"{self._repr_html_()}{drawn}"
        )
        Path(path).write_text(page, "utf-8")

    def plot(self, parameters: Sequence[str] | None = None) -> Any:
        """Draw Bland-Altman's picture and the scatter of every parameter.

        Parameters
        ----------
        parameters : their names, None for all that two films or more are there for

        Returns
        -------
        figure : matplotlib's; ``figure.savefig("agreement.svg")``

        Raises
        ------
        ArgumentError
            If there is no such parameter, or nothing to draw for it.
        UnsupportedError
            If matplotlib is not installed.
        """
        from spinekit._agreement_plot import draw  # noqa: PLC0415 - draws with matplotlib, an extra

        chosen = [self[name] for name in parameters] if parameters is not None else self.records
        drawable = [record for record in chosen if record.n >= 2]
        if not drawable or (parameters is not None and len(drawable) < len(chosen)):
            missing = [record.parameter for record in chosen if record.n < 2]
            raise ArgumentError(f"nothing to draw for {missing}: fewer than 2 films completed by both")
        return draw(drawable, self.values, self.raters)

    def __str__(self) -> str:
        names = {name: f"{100 * self._mean_completion(name):.1f} %" for name in self.raters}
        films = ", ".join(f"{name} completed {share}" for name, share in names.items())
        return "\n".join([f"{len(self.ids)} films; {films}", *_aligned(self._cells()), *self._lines_below()])

    def __repr__(self) -> str:
        return f"<Agreement of {len(self.raters)} raters, {len(self.ids)} films, {len(self)} parameters>"

    def _repr_html_(self) -> str:
        head, *rows = self._cells(every_icc=True)
        top = "".join(f"<th style='text-align:right'>{html.escape(cell)}</th>" for cell in head)
        body = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:right'>{html.escape(cell)}</td>" for cell in row)
            + "</tr>"
            for row in rows
        )
        below = "".join(f"<li>{html.escape(line)}</li>" for line in self._lines_below())
        return f"<table><tr>{top}</tr>{body}</table><ul>{below}</ul>"

    def _mean_completion(self, rater: str) -> float:
        return sum(record.completion[rater] for record in self.records) / len(self.records)

    def _cells(self, every_icc: bool = False) -> list[list[str]]:
        shown = list(_ICC) if every_icc else ["icc_2_1"]
        head = ["parameter", "n", "MAE ± SD", "RMSE", "bias", "SD", "limits of agreement", "Pearson r"]
        rows = [[*head, *(_ICC[name] for name in shown), *(f"{name} completed" for name in self.raters)]]
        for r in self.records:
            rows.append(
                [
                    r.parameter,
                    str(r.n),
                    f"{_text(r.mae)} ± {_text(r.mae_sd)}",
                    _text(r.rmse),
                    _interval(r.bias),
                    _text(r.sd),
                    f"{_text(r.lower_limit.value)} to {_text(r.upper_limit.value)}",
                    _interval(r.pearson, 3),
                    *(_interval(getattr(r, name), 3) for name in shown),
                    *(f"{100 * r.completion[name]:.1f} %" for name in self.raters),
                ]
            )
        return rows

    def _lines_below(self) -> list[str]:
        reasons = [f"{r.parameter}: {r.reason}" for r in self.records if r.reason]
        first, second = self.raters[:2]
        return [f"differences are {first} minus {second}; in brackets 95 % intervals", *reasons, *self.notes]


def _text(value: float, digits: int = 2) -> str:
    if math.isnan(value):
        return _NOTHING
    # A small negative value must not read as minus zero.
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _interval(estimate: Estimate, digits: int = 2) -> str:
    value, low, high = (_text(v, digits) for v in estimate)
    return value if low == high == _NOTHING else f"{value} [{low}, {high}]"


def _aligned(cells: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    lines = []
    for row in cells:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append("  ".join([row[0].ljust(widths[0]), *rest]).rstrip())
    return lines


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
    parameters : names of those to compare, None for all that every rater has; they name an array's columns
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
        _ratings.read_ratings(source, name, by, parameters)
        for source, name in zip(sources, raters, strict=True)
    ]
    shared = _shared_parameters(tables, parameters)
    ids, rows = _ratings.matched(tables)
    values: dict[str, Values] = {}
    notes = _matching_notes(tables, raters, ids, rows)
    for name in shared:
        columns = [table.numbers(name.strip().casefold()) for table in tables]
        if all(column is None for column in columns) and parameters is None:
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


def _shared_parameters(tables: list[_ratings.Ratings], parameters: Sequence[str] | None) -> list[str]:
    if parameters is not None:
        for table in tables:
            for name in parameters:
                if name.strip().casefold() not in table.keys:
                    raise ArgumentError(
                        f"{table.where}: no parameter {name!r}, there are {list(table.columns)}"
                    )
        return list(dict.fromkeys(parameters))
    shared = [name for key, name in tables[0].keys.items() if all(key in table.keys for table in tables)]
    if not shared:
        have = "; ".join(f"{table.where} has {list(table.columns)}" for table in tables)
        raise ArgumentError(f"no common parameters: {have}")
    return shared


def _matching_notes(
    tables: list[_ratings.Ratings], raters: tuple[str, ...], ids: list[str], rows: list[list[int | None]]
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
    spread = _reliability.differences(both[:, 0], both[:, 1])
    correlation = _reliability.pearson(both[:, 0], both[:, 1])
    if math.isnan(correlation.value):
        k = 0 if (both[:, 0] == both[0, 0]).all() else 1
        reasons.append(f"no correlation: every value of {raters[k]} is {both[0, k]:g}")
    elif math.isnan(correlation.low):
        reasons.append(f"no interval of the correlation: {len(both)} films, expected at least 4")
    if len(every) >= 2:
        coefficients = _reliability.intraclass(every)
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
