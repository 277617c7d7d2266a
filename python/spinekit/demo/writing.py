"""Runs the demo and puts its page in place."""

import contextlib
import dataclasses
import json
import logging
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import spinekit as sk
from spinekit import _engine
from spinekit.demo import cases, page
from spinekit.demo.films import Films, show_films
from spinekit.demo.networks import Networks, show_networks
from spinekit.demo.runs import CaseResult, Runner
from spinekit.demo.scans import Scanned, show_scan

#: Lists what a run has written; only that is ever replaced.
_MARKER = ".spinekit-demo.json"
_OWN_NAME = re.compile(r"index\.html|pictures/[a-z0-9_-]+\.(?:png|svg)")


@dataclasses.dataclass(frozen=True)
class DemoPage:
    """What `write_demo` has written.

    Attributes
    ----------
    path : of ``index.html``
    problems : what went wrong and should not have, with the names of the files
    notes : what to know besides
    seconds : wall time
    """

    path: Path
    problems: list[str]
    notes: list[str]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong; a ratio that a small file cannot reach is no failure."""
        return not self.problems

    def __str__(self) -> str:
        lines = [f"'{self.path}' is written ({self.seconds:.1f} s); open it in a browser", *self.notes]
        if self.problems:
            lines.append(f"{len(self.problems)} PROBLEMS:")
            lines += [f"  {problem}" for problem in self.problems]
        return "\n".join(lines)


def write_demo(
    out: str | os.PathLike[str],
    folder: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
) -> DemoPage:
    """Run every capability once, and write a page that shows it.

    Parameters
    ----------
    out : folder of the page; new, empty, or that of an earlier demo, which is replaced
    folder : DICOM files of your own: a folder, a ZIP or a file; None takes a phantom's CT
        and films, a scan of torn paper, and the test files that pydicom brings along
    workers : as for `compress`

    Returns
    -------
    page : path, problems

    Raises
    ------
    ArgumentError
        If `out` holds something else than a demo, or `folder` holds no DICOM image.
    ResourceError
        If a folder cannot be read or written.

    Notes
    -----
    About 20 s without `folder`. The page needs neither scripts nor a network. It carries no elements
    that name a patient, no file names and no UIDs of your files, only their pixels; of images that
    say BurnedInAnnotation YES not even those. Archives are made in a temporary folder and removed.

    Examples
    --------
    >>> from spinekit.demo import write_demo
    >>> print(write_demo("demo", "CT/"))  # doctest: +SKIP
    """
    started = time.perf_counter()
    target = Path(out)
    earlier = _earlier_files(target)
    with tempfile.TemporaryDirectory(prefix="spinekit-demo-") as name, _quiet():
        work = Path(name)
        stage = work / "page"
        (stage / "pictures").mkdir(parents=True)
        plan = (
            cases.own_cases(work, workers)
            if folder is None
            else cases.folder_cases(Path(folder), target, work)
        )
        prepared = time.perf_counter() - started
        runner = Runner(work, stage / "pictures", workers)
        results: list[CaseResult] = [runner.run(case) for case in plan.cases]
        odd_lines, odd_problems = _carry_odd(plan, work, workers)
        problems = [problem for result in results for problem in result.problems] + odd_problems
        films: Films | None = None
        networks: Networks | None = None
        scanned: Scanned | None = None
        if folder is None:
            films = show_films(stage / "pictures", workers)
            networks = show_networks(stage / "pictures", workers)
            scanned = show_scan(stage / "pictures", workers)
            problems += films.problems + networks.problems + scanned.problems
        frame = page.Frame(
            own=folder is not None,
            notes=plan.notes,
            odd=odd_lines,
            odd_failed=len(odd_problems),
            seconds=time.perf_counter() - started,
            prepared=prepared,
        )
        text = page.render(results, frame, films, networks, scanned)
        (stage / "index.html").write_text(text, "utf-8")
        try:
            _put_in_place(stage, target, earlier)
        except OSError as failure:
            raise _engine.os_error(target, "cannot be written", failure) from failure
    return DemoPage(target / "index.html", problems, plan.notes, time.perf_counter() - started)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings: the page tells what failed, and odd values in foreign headers do not matter."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "spinekit")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _carry_odd(plan: cases.Plan, work: Path, workers: int | None) -> tuple[list[str], list[str]]:
    """Show what a batch does with files that are no images; return lines of the page, and problems."""
    if plan.odd is None:
        return [], []
    report = sk.compress(plan.odd, work / "odd-out", workers=workers)
    lines, problems = [], []
    for record in report:
        what = record.error or record.reason or record.status
        what = what.replace(f"{work}/", "")
        if record.status == "failed":
            lines.append(f"file {record.source}: {what}")
            problems.append(f"{plan.odd_names[record.source]}: {what.split(chr(39) + ': ', 1)[-1]}")
        else:
            lines.append(f"file {record.source}: {record.status} ({what})")
    return lines, problems


# ---- the folder of the page


def _earlier_files(target: Path) -> list[str]:
    """Return what an earlier demo has written to a folder; refuse a folder of anything else."""
    if not target.exists():
        return []
    if not target.is_dir():
        raise sk.ArgumentError(f"'{target}' is a file; name a folder for the page")
    try:
        held = next(target.iterdir(), None)
    except OSError as failure:
        raise _engine.os_error(target, "cannot be read", failure) from failure
    if held is None:
        return []
    try:
        files = json.loads((target / _MARKER).read_text("utf-8"))["files"]
        names = [name for name in files if isinstance(name, str) and _OWN_NAME.fullmatch(name)]
    except (OSError, ValueError, KeyError, TypeError) as failure:
        raise sk.ArgumentError(
            f"'{target}' holds other files and no earlier demo; choose another folder with --out"
        ) from failure
    if (target / "pictures").is_symlink():
        raise sk.ArgumentError(f"'{target / 'pictures'}' is a link; choose another folder with --out")
    return names


def _put_in_place(stage: Path, target: Path, earlier: list[str]) -> None:
    made = sorted(p.relative_to(stage).as_posix() for p in stage.rglob("*") if p.is_file())
    (target / "pictures").mkdir(parents=True, exist_ok=True)
    for name in made:
        if name not in earlier and (target / name).exists():
            raise sk.ArgumentError(f"'{target / name}' is not of an earlier demo; choose another folder")
    # Whatever interrupts this: all that lies there afterwards is listed.
    _mark(target, sorted({*earlier, *made}))
    for name in made:
        part = target / f"{name}.part"
        shutil.copyfile(stage / name, part)
        part.replace(target / name)
    for name in set(earlier) - set(made):
        (target / name).unlink(missing_ok=True)
    _mark(target, made)


def _mark(target: Path, files: list[str]) -> None:
    part = target / f"{_MARKER}.part"
    part.write_text(json.dumps({"spinekit": sk.__version__, "files": files}, indent=1) + "\n", "utf-8")
    part.replace(target / _MARKER)
