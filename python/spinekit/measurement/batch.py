"""Measuring many films: masks in, one table out."""

import concurrent.futures
import csv
import dataclasses
import io
import json
import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinekit import _core, _engine
from spinekit._core import ArgumentError, SpinekitError
from spinekit._figures import new_figure, write_figure
from spinekit._progress import Progress
from spinekit.measurement.films import find_film
from spinekit.measurement.landmarks import BONES
from spinekit.measurement.measuring import METHODS, measure, measure_points
from spinekit.measurement.reading import FILES, Case, find_cases, is_case, read_case
from spinekit.measurement.result import Measurement
from spinekit.radiograph import Radiograph, checked_spacing
from spinekit.radiographs import read_radiograph

#: The parameters that come first in tables, and whose intervals are there.
MAIN = ("pi", "pt", "ss", "ll", "pi_minus_ll", "l1pa", "l4_s1", "l4_s1_share")
_NAMES = [info.name for info in _core.measured_parameters()]
#: Of a summary, on what was not found.
_MOST_LINES = 10
_DRAWN = (".png", ".svg", ".pdf")


@dataclass(eq=False)
class MeasuredFilms:
    """What `measure_files` found; `measurements` can be handed to `agreement`.

    Attributes
    ----------
    measurements : by the film's name
    failures : why a film could not be measured, by its name
    names : of all films, in order
    seconds : wall time
    """

    measurements: dict[str, Measurement] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every film could be read; a parameter that is NaN has its reason and is no failure."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, None for what is unknown."""
        return {
            "spinekit": _core.__version__,
            "seconds": self.seconds,
            "films": {name: par.to_dict() for name, par in self.measurements.items()},
            "failures": dict(self.failures),
        }

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write everything: numbers, intervals, reasons, warnings, key points."""
        text = json.dumps(self.to_dict(), indent=1) + "\n"
        _engine.write_file(_engine.path_of(path), text.encode())

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line for each film, as `agreement` reads it.

        Notes
        -----
        Columns: film, every number by its dotted name (empty where unknown), ``… low`` and ``… high`` of the
        main angles, then text: facing, unit of lengths, method, warnings, missing (the reasons), problem. A
        film that failed has its name and its problem: for `agreement` it was not completed.
        """
        names = [*MAIN, *(name for name in _NAMES if name not in MAIN)]
        spans = [f"{name} {end}" for name in MAIN for end in ("low", "high")]
        text = io.StringIO(newline="")
        columns = ["film", *names, *spans, "facing", "unit", "method", "warnings", "missing", "problem"]
        table = csv.DictWriter(text, columns, lineterminator="\n")
        table.writeheader()
        for name in self.names:
            par = self.measurements.get(name)
            row = {"film": name, "problem": self.failures.get(name, "")}
            table.writerow(row if par is None else row | _row(par))
        _engine.write_file(_engine.path_of(path), text.getvalue().encode())

    def _gaps(self) -> list[str]:
        """Return why films have not everything, a line for each; the four angles are named."""
        lines = []
        for name, par in self.measurements.items():
            reasons: dict[str, list[str]] = {}
            for parameter, why in par.reasons.items():
                angles = reasons.setdefault(why, [])
                if parameter in MAIN[:4]:
                    angles.append(parameter.upper())
            if reasons:
                told = "; ".join(
                    (f"no {', '.join(angles)}: " if angles else "") + why for why, angles in reasons.items()
                )
                lines.append(f"  {name}: {told}")
        if len(lines) > _MOST_LINES:
            lines[_MOST_LINES:] = [f"  and {len(lines) - _MOST_LINES} more films; the table has all"]
        return lines

    def __str__(self) -> str:
        if not self.failures and len(self.measurements) == 1:
            return str(next(iter(self.measurements.values())))
        lines = [f"{len(self.measurements)} of {len(self.names)} films measured in {self.seconds:.1f} s"]
        if self.measurements:
            every = self.measurements.values()
            found = [
                f"{name.upper()} {sum(not math.isnan(p.values[name]) for p in every)}" for name in MAIN[:4]
            ]
            warned = sum(bool(par.warnings) for par in every)
            lines[0] += f"; found: {', '.join(found)}; {warned} with warnings"
            if all(par.unit == "px" for par in every):
                lines.append("lengths are in pixels: no spacing is known")
            lines += self._gaps()
        if self.failures:
            lines.append(f"{len(self.failures)} FAILED:")
            lines += [f"  {name}: {problem}" for name, problem in self.failures.items()]
        return "\n".join(lines)


def measure_files(
    source: str | os.PathLike[str],
    spacing: Sequence[float] | None = None,
    *,
    method: str = "robust",
    points: bool = False,
    film: str | os.PathLike[str] | None = None,
    plot: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    progress: bool | None = None,
) -> MeasuredFilms:
    """Measure masks from files: one film, or a folder of them.

    Parameters
    ----------
    source : what `read_masks` reads, or a folder of such files and folders, at any depth. A labelme file
        without outlines of the spine is measured from its key points (`measure_points`).
    spacing : (row, column), mm, of all films. None takes what a file says: "spacing" in an ``.npz``, the
        note of `segment_files` beside pictures, a DICOM film's PixelSpacing or, with a warning,
        ImagerPixelSpacing. Else lengths are in pixels.
    method : as of `measure`
    points : whether labelme files with outlines, too, are measured from their key points, as after these
        were corrected by hand; outlines are then left out, and so is `method`
    film : a DICOM file or picture, or a folder of them called as the masks are: to draw on, and for the
        spacing. None takes the picture that a labelme file names.
    plot : file to draw to (.png, .svg, .pdf), or a folder, which gets a PNG for each film
    overwrite : whether a picture that is there is replaced
    workers : films at the same time; all cores by default, the numbers are the same
    progress : whether a bar is shown; None where somebody looks

    Returns
    -------
    films : measurements and failures by name, which is the path in the folder without ending

    Raises
    ------
    ArgumentError
        If the folder holds no masks, an option makes no sense, or a picture is there already.
    SpinekitError
        What is wrong with the only film; in a folder it is named in `failures`, and the rest goes on.

    Examples
    --------
    >>> found = sk.measure_files("masks/", spacing=(0.2, 0.2))  # doctest: +SKIP
    >>> found.to_csv("ours.csv")  # doctest: +SKIP
    >>> sk.agreement(found.measurements, "theirs.csv")  # doctest: +SKIP
    """
    started = time.perf_counter()
    if method not in METHODS:
        raise ArgumentError(f"method is {method!r}, expected 'robust' or 'report'")
    if spacing is not None:
        checked_spacing(spacing)
    path = _engine.path_of(source)
    if not path.exists():
        raise _core.ResourceError(f"'{path}' cannot be read: no such file or folder; check the path")
    try:
        alone = is_case(path)
        cases = {path.stem if path.is_file() else path.resolve().name: path} if alone else find_cases(path)
    except OSError as failure:
        raise _engine.os_error(path, "cannot be read", failure) from failure
    if not cases:
        raise ArgumentError(
            f"'{path}': no masks in it; expected files that end in {', '.join(FILES)}, or folders with "
            f"pictures called {', '.join(BONES)}"
        )
    films = None if film is None else _engine.path_of(film)
    if films is not None and not films.exists():
        raise _core.ResourceError(f"'{films}' cannot be read: no such file or folder; check the path")
    if films is not None and not alone and not films.is_dir():
        raise ArgumentError(f"film is '{films}', expected a folder: '{path}' holds {len(cases)} films")
    job = _Job(spacing, method, points, films, _pictures(cases, alone, plot, overwrite=overwrite))
    if alone:
        ((name, one),) = cases.items()
        par = job.measure(name, one, workers)
        return MeasuredFilms({name: par}, {}, [name], time.perf_counter() - started)
    made = MeasuredFilms(names=list(cases))
    threads = _engine.worker_count(workers)
    with (
        Progress(len(cases), progress, "films") as bar,
        concurrent.futures.ThreadPoolExecutor(threads, "spinekit") as pool,
    ):
        tasks = {pool.submit(job.measure, name, one, 1): name for name, one in cases.items()}
        try:
            found: dict[str, Measurement] = {}
            for task in concurrent.futures.as_completed(tasks):
                name = tasks[task]
                try:
                    found[name] = task.result()
                except SpinekitError as failure:
                    made.failures[name] = str(failure)
                except Exception as failure:  # one film must not take the others along
                    made.failures[name] = f"{type(failure).__name__}: {failure}"
                bar.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    made.measurements = {name: found[name] for name in cases if name in found}
    made.failures = {name: made.failures[name] for name in cases if name in made.failures}
    made.seconds = time.perf_counter() - started
    return made


def _pictures(
    cases: dict[str, Path], alone: bool, plot: str | os.PathLike[str] | None, *, overwrite: bool
) -> dict[str, Path]:
    """Return where each film is drawn to."""
    if plot is None:
        return {}
    new_figure("plot", (1, 1))  # fails before anything is measured
    target = _engine.path_of(plot)
    if target.suffix.lower() in _DRAWN and not target.is_dir():
        if not alone:
            raise ArgumentError(f"plot is '{target}', expected a folder: there are {len(cases)} films")
        pictures = dict.fromkeys(cases, target)
    elif (target.exists() or (alone and target.suffix)) and not target.is_dir():
        raise ArgumentError(
            f"plot is '{target}', expected a folder, or a name that ends in {', '.join(_DRAWN)}"
        )
    else:
        pictures = {name: target / f"{name}.png" for name in cases}
    if not overwrite:
        for picture in pictures.values():
            if picture.exists():
                raise ArgumentError(f"'{picture}' exists; choose another name, or overwrite it")
    return pictures


class _Job:
    """What is done with each film."""

    def __init__(
        self,
        spacing: Sequence[float] | None,
        method: str,
        points: bool,
        films: Path | None,
        pictures: dict[str, Path],
    ) -> None:
        self._spacing, self._method, self._points = spacing, method, points
        self._films, self._pictures = films, pictures
        self._drawing = threading.Lock()  # matplotlib's fonts are shared

    def measure(self, name: str, path: Path, workers: int | None) -> Measurement:
        """Read, measure and draw one film."""
        case = read_case(path)
        film = self._film(name, case)
        spacing, warning = self._spacing, ""
        if spacing is None:
            spacing = case.spacing
            if case.on_detector:
                warning = "lengths are those on the detector: so is the spacing that came with the masks"
        if spacing is None and film is not None:
            spacing = film.spacing
            if film.notes.get("plane") == "detector":
                alone = film.spacing_from == "ImagerPixelSpacing"
                why = (
                    "has ImagerPixelSpacing only"
                    if alone
                    else "has no other PixelSpacing than the detector's"
                )
                warning = f"lengths are those on the detector: the film {why}"
        if film is not None and case.masks is not None and film.shape != case.masks.shape[1:]:
            raise ArgumentError(f"'{path}': masks are of {case.masks.shape[1:]}, the film of {film.shape}")
        if self._points:
            if case.landmarks is None:
                raise ArgumentError(f"'{path}': no key points in it, expected those of a labelme file")
            case = dataclasses.replace(case, masks=None)
        if case.masks is not None:
            par = measure(case.masks, spacing, method=self._method, workers=workers)
        elif case.landmarks is not None:
            par = measure_points(case.landmarks, spacing)
        if warning:
            par.warnings.append(warning)
        if name in self._pictures:
            self._draw(self._pictures[name], par, film, case)
        return par

    def _film(self, name: str, case: Case) -> Radiograph | None:
        if self._films is not None:
            return read_radiograph(find_film(self._films, name))
        return None if case.film is None or not self._pictures else read_radiograph(case.film)

    def _draw(self, target: Path, par: Measurement, film: Radiograph | None, case: Case) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            raise _engine.os_error(target.parent, "cannot be created", failure) from failure
        with self._drawing:
            write_figure(par.plot(film, case.masks), target, dpi=150)


def _row(par: Measurement) -> dict[str, str]:
    def cell(value: float) -> str:
        return "" if math.isnan(value) else repr(value)

    row = {name: cell(value) for name, value in par.values.items()}
    for name in MAIN:
        low, high = par.intervals.get(name, (math.nan, math.nan))
        row |= {f"{name} low": cell(low), f"{name} high": cell(high)}
    return row | {
        "facing": par.facing or "",
        "unit": par.unit,
        "method": par.method,
        "warnings": "; ".join(par.warnings),
        "missing": "; ".join(dict.fromkeys(par.reasons.values())),
    }
