"""What raters found, read from whatever form they hand it in: films by id, parameters by name."""

import csv
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinekit import _engine
from spinekit._core import ArgumentError, MalformedDataError

#: Names of a column that says which film a row is of; any case.
ID_NAMES = ("id", "film", "image", "case", "file", "filename", "subject", "patient", "name", "source")
#: What stands for a value that was not found; any case.
MISSING = ("", "nan", "na", "n/a", "none", "null", "-", "\N{EN DASH}")


@dataclass
class Ratings:
    """One rater's table.

    Attributes
    ----------
    where : for messages
    columns : cells by parameter; numbers, text or None
    ids : of the rows, or None where only their order says which film they are of
    rows : what a message calls each row
    id_column : the column that the ids came from, if one did
    guessed : nobody said that it holds ids
    error : of a message about a cell: files are malformed, arguments wrong
    """

    where: str
    columns: dict[str, list[Any]]
    ids: list[str] | None
    rows: list[str]
    id_column: str = ""
    guessed: bool = False
    error: type[ArgumentError] | type[MalformedDataError] = ArgumentError
    keys: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = {}
        for name in self.columns:
            if (other := self.keys.setdefault(name.strip().casefold(), name)) != name:
                raise self.error(f"{self.where}: columns {other!r} and {name!r} are one parameter")
        if self.ids is None:
            return
        seen: dict[str, str] = {}
        for row, one in zip(self.rows, self.ids, strict=True):
            if not one:
                raise self.error(f"{self.where}, {row}: no id in column {self.id_column!r}")
            if one in seen:
                raise self.error(
                    f"{self.where}: id {one!r} is in {seen[one]} and in {row}, expected each film once"
                )
            seen[one] = row

    def numbers(self, name: str) -> NDArray[np.float64] | None:
        """Return a parameter's values, NaN where not completed; None if no cell is a number.

        Raises
        ------
        ArgumentError, MalformedDataError
            If a cell among numbers is none; the message names its row and column.
        """
        found = [_number(cell) for cell in self.columns[self.keys[name]]]
        wrong = [k for k, value in enumerate(found) if value is None]
        if len(wrong) == len([v for v in found if v is None or not math.isnan(v)]) and wrong:
            return None
        if wrong:
            row, cell = self.rows[wrong[0]], self.columns[self.keys[name]][wrong[0]]
            more = f"; {len(wrong)} such cells in all" if len(wrong) > 1 else ""
            raise self.error(
                f"{self.where}, {row}, column {self.keys[name]!r}: {cell!r}, expected a finite number, "
                f"or nothing where it was not completed{more}"
            )
        return np.array(found, np.float64)


def _number(cell: Any) -> float | None:
    """Return a cell's value, NaN if it is missing, None if it is no number."""
    if cell is None:
        return math.nan
    if isinstance(cell, str):
        text = cell.strip()
        if text.casefold() in MISSING:
            return math.nan
        try:
            value = float(text)
        except ValueError:
            return None
        # Python reads 1_000 as a number, which no table means.
        return value if math.isfinite(value) and "_" not in text else None
    if isinstance(cell, (bool, np.bool_)):
        return None
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return math.nan if str(cell) in ("<NA>", "NaT") else None
    return None if math.isinf(value) else value


def read_ratings(source: Any, where: str, by: str | None, parameters: Sequence[str] | None) -> Ratings:
    """Return what one rater handed in, as `agreement` describes it."""
    if isinstance(source, (str, os.PathLike)):
        return _from_csv(Path(source), by)
    if hasattr(source, "columns") and hasattr(source, "__getitem__"):
        return _from_frame(source, where, by)
    if isinstance(source, Mapping):
        if source and all(_is_record(value) for value in source.values()):
            ids = [str(key) for key in source]
            return _from_records(list(source.values()), where, ids, by)
        return _from_columns(source, where, by)
    if isinstance(source, Sequence) and source and all(_is_record(value) for value in source):
        return _from_records(list(source), where, None, by)
    return _from_array(source, where, parameters)


def _is_record(value: Any) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "to_dict")


def _id_column(names: Iterable[str], by: str | None, where: str) -> str | None:
    names = list(names)
    if by is not None:
        for name in names:
            if name.strip().casefold() == by.strip().casefold():
                return name
        raise ArgumentError(f"{where}: no column {by!r} for ids, there are {some(names)}")
    return next((name for name in names if name.strip().casefold() in ID_NAMES), None)


def some(names: Iterable[object], most: int = 8) -> str:
    """Return the first names of many, for a message."""
    shown = [repr(str(name)) for name in names]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


def _from_csv(path: Path, by: str | None) -> Ratings:
    where = f"'{path.name}'"
    try:
        text = _engine.read_file(path).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as failure:
        raise MalformedDataError(f"{where}: not UTF-8 at byte {failure.start}, expected a CSV file") from None
    head = text.split("\n", 1)[0]
    delimiter = max((",", ";", "\t"), key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    header: list[str] = []
    cells: list[list[str]] = []
    rows: list[str] = []
    try:
        for line in reader:
            if not any(cell.strip() for cell in line):
                continue
            if not header:
                header = [cell.strip() for cell in line]
                continue
            while len(line) > len(header) and not line[-1].strip():
                line.pop()
            if len(line) != len(header):
                raise MalformedDataError(
                    f"{where}, line {reader.line_num}: {len(line)} cells, expected {len(header)}, "
                    "as many as the header has"
                )
            cells.append(line)
            rows.append(f"line {reader.line_num}")
    except csv.Error as failure:
        raise MalformedDataError(f"{where}, line {reader.line_num}: {failure}") from None
    if not cells:
        raise MalformedDataError(f"{where}: no rows, expected a header and one row for each film")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise MalformedDataError(f"{where}: column {twice!r} is there twice")
    column = _id_column(header, by, where)
    guessed = column is None
    chosen = header[0] if column is None else column
    place = header.index(chosen)
    columns: dict[str, list[Any]] = {
        name: [_decimal_point(line[k], delimiter) for line in cells]
        for k, name in enumerate(header)
        if k != place and name
    }
    ids = [line[place].strip() for line in cells]
    return Ratings(where, columns, ids, rows, chosen, guessed, MalformedDataError)


def _decimal_point(cell: str, delimiter: str) -> str:
    """Return a cell as it is, or its decimal comma as point where a comma separates no cells."""
    if delimiter != "," and cell.count(",") == 1 and "." not in cell:
        changed = cell.replace(",", ".")
        return cell if _number(changed) is None else changed
    return cell


def _from_frame(frame: Any, where: str, by: str | None) -> Ratings:
    columns = {str(name): list(frame[name]) for name in frame.columns}
    count = len(frame)
    column = _id_column(columns, by, where)
    ids: list[str] | None
    if column is not None:
        ids = [str(value).strip() for value in columns.pop(column)]
    else:
        index = getattr(frame, "index", None)
        ids = None if index is None else [str(value) for value in index]
    rows = [f"row {k}" for k in range(count)]
    return Ratings(where, columns, ids, rows, column or "index")


def _from_records(records: list[Any], where: str, ids: list[str] | None, by: str | None) -> Ratings:
    flat = [_flat(_values_of(r if isinstance(r, Mapping) else r.to_dict())) for r in records]
    names = list(dict.fromkeys(name for record in flat for name in record))
    columns = {name: [record.get(name) for record in flat] for name in names}
    column = "id"
    if ids is None:
        found = _id_column(names, by, where)
        if found is not None:
            column = found
            ids = ["" if value is None else str(value).strip() for value in columns.pop(found)]
    rows = [f"{one!r}" for one in ids] if ids and all(ids) else [f"item {k}" for k in range(len(flat))]
    return Ratings(where, columns, ids, rows, column)


def _values_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the numbers of what has its numbers in "values", as a `Measurement` does, else all of it."""
    values = record.get("values")
    if not isinstance(values, Mapping):
        return record
    return {name: record[name] for name in record if name.casefold() in ID_NAMES} | dict(values)


def _flat(record: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return numbers and text by name, those within mappings as outer.inner; lists are left out."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        name = before + str(key)
        if isinstance(value, Mapping):
            found |= _flat(value, name + ".")
        elif np.ndim(value) == 0:
            found[name] = value
    return found


def _from_columns(table: Mapping[Any, Any], where: str, by: str | None) -> Ratings:
    columns = {}
    for name, values in table.items():
        if isinstance(values, str) or np.ndim(values) != 1:
            raise ArgumentError(
                f"{where}[{name!r}]: {type(values).__name__}, expected by parameter its values (1D), or by "
                "film a mapping or what has to_dict()"
            )
        columns[str(name)] = list(values)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ArgumentError(f"{where}: columns of unequal length: {lengths}")
    column = _id_column(columns, by, where)
    ids = None if column is None else [str(value).strip() for value in columns.pop(column)]
    rows = [f"row {k}" for k in range(next(iter(lengths.values()), 0))]
    return Ratings(where, columns, ids, rows, column or "")


def _from_array(source: Any, where: str, parameters: Sequence[str] | None) -> Ratings:
    try:
        array = np.asarray(source, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"{where}: {type(source).__name__}, expected a CSV path, a table, a mapping, a list of "
            "measurements, or numbers of shape (films,) or (films, parameters)"
        ) from None
    if array.ndim not in (1, 2) or array.size == 0:
        raise ArgumentError(f"{where}: shape {array.shape}, expected (films,) or (films, parameters)")
    array = array.reshape(len(array), -1)
    count = array.shape[1]
    if parameters is not None and len(parameters) != count:
        raise ArgumentError(f"{where}: {count} columns, but {len(parameters)} names in parameters")
    names = list(parameters) if parameters is not None else ["value"] if count == 1 else None
    names = names or [str(k) for k in range(count)]
    columns: dict[str, list[Any]] = {name: array[:, k].tolist() for k, name in enumerate(names)}
    return Ratings(where, columns, None, [f"row {k}" for k in range(len(array))])


def matched(tables: Sequence[Ratings]) -> tuple[list[str], list[list[int | None]]]:
    """Return the ids of all films, in the order they are met, and each table's row of every film.

    Raises
    ------
    ArgumentError
        If the first two tables have no film in common, or what matches them is not known.
    """
    if all(table.ids is None for table in tables):
        lengths = {table.where: len(table.rows) for table in tables}
        if len(set(lengths.values())) > 1:
            raise ArgumentError(f"without ids rows match by order, but their numbers differ: {lengths}")
        count = len(tables[0].rows)
        return [str(k) for k in range(count)], [list(range(count)) for _ in tables]
    for table in tables:
        if table.ids is None:
            raise ArgumentError(f"{table.where} has no ids to match the others' by; give it an id column")
    places = [{one: k for k, one in enumerate(table.ids or [])} for table in tables]
    first, second = tables[:2]
    if not places[0].keys() & places[1].keys():
        raise ArgumentError(
            f"no common ids: {first.where} has {some(places[0], 3)} (column {first.id_column!r}), "
            f"{second.where} has {some(places[1], 3)} (column {second.id_column!r})"
        )
    ids = list(dict.fromkeys(one for place in places for one in place))
    return ids, [[place.get(one) for one in ids] for place in places]
