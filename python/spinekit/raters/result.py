"""What comparing raters gives: records by parameter, as table, page and picture."""

import csv
import dataclasses
import html
import io
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _core, _engine
from spinekit._core import ArgumentError
from spinekit.raters.reliability import UNDEFINED, Estimate
from spinekit.report import plain_values

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
            if record.parameter.strip().casefold() == parameter.strip().casefold():
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
        text = json.dumps(plain_values(self.to_dict()), indent=1) + "\n"
        _engine.write_file(_engine.path_of(path), text.encode())

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line for each parameter, intervals as columns ``…_low`` and ``…_high``."""
        rows = [record.to_dict() for record in self.records]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        _engine.write_file(_engine.path_of(path), text.getvalue().encode())

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
        _engine.write_file(_engine.path_of(path), page.encode())

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
        from spinekit.raters.plot import draw  # noqa: PLC0415 - draws with matplotlib, an extra

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
