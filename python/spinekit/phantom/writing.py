"""Phantoms in numbers, as files: films, masks, landmarks, parameters, DICOM, CT."""

import concurrent.futures
import contextlib
import csv
import io
import json
import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from spinekit import _core, _engine
from spinekit._core import ArgumentError
from spinekit._journal import JsonLines
from spinekit._progress import Progress
from spinekit.phantom.files import FORMATS, Made, Row, Wishes, files_of, row_of
from spinekit.phantom.spine import Spine

INDEX_NAME = "phantoms.csv"
JOURNAL_NAME = "spinekit-phantoms.jsonl"

MaskFormat = Literal["png", "tiff", "npz"]
#: Of phantoms in a folder: their rows, 8 kB each, are in memory until the index is written.
_MOST_COUNT = 100_000


@dataclass
class WrittenPhantoms:
    """What `write` has written.

    Attributes
    ----------
    folder : of everything
    index : the CSV file with a row for each film
    made : number of phantoms written now
    kept : number of phantoms that were there already
    failures : what went wrong, by the phantom's name
    """

    folder: Path
    index: Path
    made: int = 0
    kept: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "folder": str(self.folder),
            "index": str(self.index),
            "made": self.made,
            "kept": self.kept,
            "failures": dict(self.failures),
        }

    def __str__(self) -> str:
        kept = f", {self.kept} were there" if self.kept else ""
        noun = "phantom" if self.made == 1 else "phantoms"
        lines = [f"{self.made} {noun} written to '{self.folder}'{kept}; their truth is in '{self.index}'"]
        if self.failures:
            lines.append(f"{len(self.failures)} FAILED:")
            lines += [f"  {name}: {self.failures[name]}" for name in sorted(self.failures)]
        return "\n".join(lines)


def write(
    folder: str | os.PathLike[str],
    *,
    count: int,
    seed: int = 0,
    rows: int = 1024,
    columns: int | None = None,
    facing: Literal["left", "right", "random"] = "left",
    implants: float = 0.0,
    dicom: bool = True,
    ct: bool = False,
    mask_format: MaskFormat = "png",
    workers: int | None = None,
    progress: bool | None = None,
) -> WrittenPhantoms:
    """Write films of random phantoms with their truth; the same call goes on where it was stopped.

    Parameters
    ----------
    folder : new, empty, or one that this function has written with the same options
    count : number of phantoms, of the seeds `seed`, `seed` + 1, ...
    seed : of the first phantom
    rows, columns : of the films; as many columns as 0.82 times the rows by default
    facing : side of the film that the patients look to; "random" lets the seed decide
    implants : share of instrumented spines, 0 to 1; the seed decides which
    dicom : whether films are written as DICOM too
    ct : whether a CT of each is written, about 80 MB
    mask_format : "png": a folder with eight 8-bit files; "tiff": one 8-bit file with eight pages; "npz": one
        file with ``masks``, float16
    workers : phantoms made at the same time; all cores by default, the files are the same
    progress : whether a bar is shown; None where somebody looks

    Returns
    -------
    written : counts, failures; printed, it is a summary

    Raises
    ------
    ArgumentError
        If an option makes no sense, or the folder holds something else, or was written with other options.
    ResourceError
        If the folder or its index cannot be written, or another run writes to it.

    Notes
    -----
    In the folder, for the phantom of seed 7: ``images/phantom-000007.png`` (16 bits, the film's 12 in the
    upper ones, dense bone bright), ``masks/phantom-000007/L1.png`` and so on to ``FH2.png`` (255: covered),
    ``labelme/phantom-000007.json`` (polygons and points), ``dicom/phantom-000007.dcm``,
    ``ct/phantom-000007/``; for instrumented spines ``implants/phantom-000007.png`` (255: metal) and
    ``without_implants/phantom-000007.png``. ``phantoms.csv`` has a row for each: seed, spacing, parameters
    as they are on the film (``pi``, ...) and in the patient (``own pi``, ...), key points in (x, y) pixels.

    A file that is there and was not written by this function is never replaced: that phantom fails, the
    others go on. Of phantoms that are done only missing files are written again, so that corrections stay.

    Examples
    --------
    >>> import tempfile
    >>> import spinekit as sk
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sk.phantom.write(folder, count=2, rows=64).made
    2
    """
    threads = _engine.worker_count(workers)
    wishes = Wishes(rows, columns, facing, float(implants), dicom, ct, mask_format)
    _check(wishes, count, seed)
    target = _engine.path_of(folder)
    earlier = _earlier(target, wishes)
    with contextlib.closing(_Run(target, wishes, earlier, threads)) as run:
        seeds = range(seed, seed + count)
        with (
            Progress(count, progress, "phantoms") as bar,
            concurrent.futures.ThreadPoolExecutor(threads, "spinekit") as pool,
        ):
            tasks = [pool.submit(run.make, one) for one in seeds]
            try:
                for task in concurrent.futures.as_completed(tasks):
                    run.note(*task.result())
                    bar.advance()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return run.written


def _check(wishes: Wishes, count: int, seed: int) -> None:
    if not 1 <= count <= _MOST_COUNT:
        raise ArgumentError(f"count: {count}, expected 1 to {_MOST_COUNT} in a folder")
    if seed < 0:
        raise ArgumentError(f"seed: {seed}, expected 0 or more")
    if not 0 <= wishes.implants <= 1:
        raise ArgumentError(f"implants: {wishes.implants}, expected a share of 0 to 1")
    if wishes.mask_format not in FORMATS:
        raise ArgumentError(f"mask_format is {wishes.mask_format!r}, expected {', '.join(FORMATS)}")
    if wishes.facing not in ("left", "right", "random"):
        raise ArgumentError(f"facing is {wishes.facing!r}, expected 'left', 'right' or 'random'")
    # Sizes that no view can have fail here, not a thousand times.
    Spine.random(seed).view(wishes.rows, wishes.columns)


# ---- what is there


@dataclass
class _Earlier:
    """What the journal tells: rows of phantoms that are done, and names of those that were begun."""

    rows: dict[str, Row] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    is_new: bool = True


def _earlier(target: Path, wishes: Wishes) -> _Earlier:
    if target.exists() and not target.is_dir():
        raise ArgumentError(f"'{target}' is a file; name a folder")
    journal = target / JOURNAL_NAME
    try:
        if not journal.exists():
            if target.exists() and any(target.iterdir()):
                raise ArgumentError(f"'{target}' holds other files and no phantoms; choose another folder")
            return _Earlier()
        lines = journal.read_bytes().split(b"\n")
    except OSError as failure:
        raise _engine.os_error(target, "cannot be read", failure) from failure
    found = _Earlier()
    for number, line in enumerate(lines):
        if not line:
            continue
        try:
            values = json.loads(line)
            if "spinekit" in values:
                _compare(target, values, wishes)
                found.is_new = False
            elif "started" in values:
                found.started.add(values["started"])
            else:
                found.rows[values["film"]] = values
        except (ValueError, KeyError, TypeError) as failure:
            if isinstance(failure, ArgumentError):
                raise
            if number == len(lines) - 1:
                break  # a crash cut it off
            raise _core.MalformedDataError(
                f"'{journal}', line {number + 1}: not a list of phantoms: {failure}"
            ) from failure
    return found


def _compare(target: Path, values: dict[str, Any], wishes: Wishes) -> None:
    then = {"spinekit": values["spinekit"]} | values["options"]
    now: dict[str, Any] = {"spinekit": _core.__version__} | asdict(wishes)
    for name, value in now.items():
        if then.get(name) != value:
            raise ArgumentError(
                f"'{target}' was written with {name} {then.get(name)}, not {value}; "
                "use the same options, or another folder"
            )


# ---- one phantom after the other


class _Run:
    """Makes phantoms, notes them in the journal, and keeps the index."""

    def __init__(self, target: Path, wishes: Wishes, earlier: _Earlier, threads: int) -> None:
        self._wishes, self._earlier, self._threads = wishes, earlier, threads
        self._rows = dict(earlier.rows)
        self._lock = threading.Lock()
        self._target = target
        self.written = WrittenPhantoms(target, target / INDEX_NAME)
        self._make_folder("")
        self._journal = JsonLines(target / JOURNAL_NAME)
        self._journal.go_on()
        if earlier.is_new:
            self._journal.line({"spinekit": _core.__version__, "options": asdict(wishes)})
        names = ["images", "masks", "labelme"]
        names += ["dicom"] * wishes.dicom + ["ct"] * wishes.ct
        names += ["implants", "without_implants"] * (wishes.implants > 0)
        for name in names:
            self._make_folder(name)

    def close(self) -> None:
        """Write the index, of an unfinished run too."""
        try:
            self._write_index()
        finally:
            self._journal.close()

    def _make_folder(self, name: str) -> None:
        path = self._target / name
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            raise _engine.os_error(path, "cannot be created", failure) from failure

    def make(self, seed: int) -> tuple[str, bool, str]:
        """Write one phantom; return its name, whether there was anything to write, and what went wrong."""
        name = f"phantom-{seed:06d}"
        try:
            return name, self._write_phantom(seed, name), ""
        except _core.SpinekitError as failure:
            return name, False, str(failure)

    def note(self, name: str, made: bool, failure: str) -> None:
        """Count what `make` returned."""
        if failure:
            self.written.failures[name] = failure
        elif made:
            self.written.made += 1
        else:
            self.written.kept += 1

    def _write_phantom(self, seed: int, name: str) -> bool:
        done = name in self._earlier.rows
        own = done or name in self._earlier.started
        chance = np.random.default_rng([seed, 41])
        operated = bool(chance.random() < self._wishes.implants)
        facing = self._wishes.facing
        if facing == "random":
            facing = "left" if chance.random() < 0.5 else "right"
        files = files_of(self._target, name, self._wishes, operated=operated)
        missing = [path for path in files if not path.exists()]
        if done and not missing:
            return False
        if not own:
            there = next((path for path in files if path.exists()), None)
            if there is not None:
                raise ArgumentError(f"'{there}' is there and is not of this run; move it away")
            self._line({"started": name})
        spine = Spine.random(seed)
        film = spine.radiograph(
            self._wishes.rows,
            self._wishes.columns,
            facing=cast("Literal['left', 'right']", facing),
            implants=operated,
            workers=self._threads,
        )
        made = Made(spine, film, spine.masks(film, workers=self._threads), self._threads)
        for path in missing if done else files:
            try:
                path.parent.mkdir(exist_ok=True)
                files[path](path, made)
            except OSError as failure:
                raise _engine.os_error(path, "cannot be written", failure) from failure
        if not done:
            row = row_of(name, spine, film)
            self._line(row)
            self._rows[name] = row
        return True

    def _line(self, values: Row) -> None:
        with self._lock:
            self._journal.line(values)

    def _write_index(self) -> None:
        rows = [self._rows[name] for name in sorted(self._rows)]
        if not rows:
            return
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        _engine.write_file(self.written.index, text.getvalue().encode())
