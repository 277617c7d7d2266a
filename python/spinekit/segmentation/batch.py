"""Segmenting many films: films in, masks out, one film in memory at a time."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spinekit import _core, _engine
from spinekit._core import ArgumentError, MalformedDataError, SpinekitError
from spinekit._journal import JsonLines
from spinekit._progress import Progress
from spinekit.radiograph import checked_spacing
from spinekit.radiographs import read_radiograph
from spinekit.segmentation.engine import checked_size
from spinekit.segmentation.finding import JOURNAL_NAME, find_films
from spinekit.segmentation.segmenter import MAX_PIXELS, Segmenter
from spinekit.segmentation.tilting import checked_tilts
from spinekit.segmentation.writing import Files, Form, Segmented, encoded

#: Of a summary, on masks that are empty.
_MOST_LINES = 10
#: Of an option that differs, before and now.
_MOST_LETTERS = 60


@dataclass(eq=False)
class SegmentedFilms:
    """What `segment_files` has written.

    Attributes
    ----------
    folder : of everything
    pixels : of each mask, by the film's name; what was there already included
    kept : names of films whose masks were there
    failures : why a film has no masks, by its name
    names : of all films, in order
    seconds : wall time
    """

    folder: Path
    pixels: dict[str, dict[str, int]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every film has its masks; that one of them is empty is no failure."""
        return not self.failures

    @property
    def empty(self) -> dict[str, list[str]]:
        """Labels that were not found, by film; films that have all are not in it."""
        found = {
            name: [label for label, count in pixels.items() if not count]
            for name, pixels in self.pixels.items()
        }
        return {name: labels for name, labels in found.items() if labels}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "spinekit": _core.__version__,
            "folder": str(self.folder),
            "seconds": self.seconds,
            "pixels": self.pixels,
            "kept": list(self.kept),
            "failures": dict(self.failures),
        }

    def __str__(self) -> str:
        kept = f", {len(self.kept)} were there" if self.kept else ""
        made = len(self.pixels) - len(self.kept)
        lines = [
            f"{made} of {len(self.names)} films segmented to '{self.folder}' in {self.seconds:.1f} s{kept}"
        ]
        gaps = [f"  {name}: nothing found of {', '.join(labels)}" for name, labels in self.empty.items()]
        if len(gaps) > _MOST_LINES:
            gaps[_MOST_LINES:] = [f"  and {len(gaps) - _MOST_LINES} more films"]
        lines += gaps
        if self.failures:
            lines.append(f"{len(self.failures)} FAILED:")
            lines += [f"  {name}: {problem}" for name, problem in self.failures.items()]
        return "\n".join(lines)


def segment_files(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    weights: str | os.PathLike[str] | Segmenter,
    *,
    format: str = "png",  # noqa: A002 - the word that users know
    threshold: float = 0.5,
    probabilities: bool = False,
    overlay: bool = True,
    tilts: Iterable[float] = (),
    size: Sequence[int] | None = None,
    spacing: Sequence[float] | None = None,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    progress: bool | None = None,
    **options: Any,
) -> SegmentedFilms:
    """Segment films and write their masks; the same call goes on where it was stopped.

    Parameters
    ----------
    source : a film, several, or folders of them: DICOM and pictures, as `read_radiograph` reads
    out : folder; made if it is not there
    weights : a file, or a `Segmenter`
    format : of the masks

        - "png": a folder for each film with a picture for each label, 255 inside, and
          ``segmentation.json`` with the spacing and what made them; `measure_files` reads both
        - "npz": "masks", bool, "labels", "spacing"; `measure_files` reads it
        - "nifti": one ``.nii.gz``, uint8 of shape (columns, rows, 1, classes), as classes overlap. Needs
          ``spinekit[nifti]``
    threshold : probability from which on a pixel belongs to a mask
    probabilities : write these instead of masks: 255ths (png), float16 (npz), float32 (nifti)
    overlay : whether a picture of each film with its masks is written too, ``NAME.overlay.png``
    tilts, size, max_pixels : as of `Segmenter.predict`
    spacing : (row, column), mm, of all films, instead of what their files say
    overwrite : make everything again, and replace what is there
    progress : whether a bar is shown; None where somebody looks
    options : of `Segmenter`, where `weights` is a file: precision, threads, device, ...

    Returns
    -------
    films : sizes of masks and failures by name, which is the film's path in its folder without ending

    Raises
    ------
    ArgumentError
        If an option makes no sense, or there are no films, or `out` holds films itself.
    ResourceError
        If `out` cannot be written to, or another run is writing there.
    SpinekitError
        Of the weights. What is wrong with a film is named in `failures`, and the rest goes on.

    Notes
    -----
    ``spinekit-segment.jsonl`` in `out` tells what was made from what. Films whose masks are there, of the
    same file, weights, labels and options, are not made again. Masks of others, and files that are no
    longer what a run wrote, as after correction by hand, are never replaced unless `overwrite`: that film
    fails. Folders with results are not searched for films. Ctrl-C is heard between films.

    Examples
    --------
    >>> found = sk.segment_files("films/", "masks/", "spine.safetensors")  # doctest: +SKIP
    >>> sk.measure_files("masks/").to_csv("ours.csv")  # doctest: +SKIP
    """
    started = time.perf_counter()
    form = Form(format, threshold, probabilities, overlay)
    form.check(())
    angles = checked_tilts(tilts)
    given = None if spacing is None else checked_spacing(spacing)
    folder = _engine.path_of(out)
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(f"'{folder}' is a file; name a folder")
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    films = find_films([_engine.path_of(path) for path in paths], folder)
    if not isinstance(weights, Segmenter):
        weights = Segmenter(weights, **options)
    elif options:
        raise ArgumentError(f"{', '.join(options)}: the Segmenter has its own")
    form.check(weights.labels)
    made_with = {
        "weights": _sha256(weights.path),
        "precision": weights.precision,
        "activation": weights.activation,
        "filters": weights.filters.to_dict(),
        "size": list(weights.size if size is None else checked_size(size)),
        "tilts": list(angles),
        "spacing": given and list(given),
        "labels": list(weights.labels),
    }
    made = SegmentedFilms(folder, names=list(films))
    with (
        contextlib.closing(_Run(folder, made_with | asdict(form), overwrite)) as run,
        Progress(len(films), progress, "films") as bar,
    ):
        for name, path in films.items():
            try:
                files = form.files(name, weights.labels)
                pixels = run.kept(name, path, files)
                if pixels is not None:
                    made.kept.append(name)
                else:
                    film = read_radiograph(
                        path, spacing=given, max_pixels=max_pixels, workers=weights.threads
                    )
                    maps = weights.predict(film, size=size, tilts=angles, max_pixels=max_pixels)
                    ready = encoded(name, Segmented(film, maps, weights.labels, made_with), form)
                    run.write(name, path, ready)
                    pixels = ready.pixels
                made.pixels[name] = pixels
            except SpinekitError as failure:
                made.failures[name] = str(failure)
            except Exception as failure:  # one film must not take the others along
                made.failures[name] = f"{type(failure).__name__}: {failure}"
            bar.advance()
    made.seconds = time.perf_counter() - started
    return made


class _Run:
    """The journal of a folder of masks: what is there, and what it was made with.

    Digests of a film's files are noted before the first one is written: what is not by these, whenever a
    run was cut off, is somebody's own.
    """

    def __init__(self, folder: Path, made_with: dict[str, Any], overwrite: bool) -> None:
        self._folder, self._made_with, self._overwrite = folder, made_with, overwrite
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            raise _engine.os_error(folder, "cannot be created", failure) from failure
        self._journal = JsonLines(folder / JOURNAL_NAME)
        self._journal.go_on()
        self._written: dict[str, dict[str, set[str]]] = {}
        self._made: dict[str, dict[str, Any]] = {}
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others write to the folder."""
        self._journal.close()

    def _read(self) -> None:
        for number, line in enumerate(self._journal.path.read_bytes().splitlines(), 1):
            try:
                values = json.loads(line)
                if "begun" in values:
                    self._begin(values["begun"], dict(values.get("files", {})))
                else:
                    self._made[values["film"]] = {**values, "files": list(values["files"])}
            except (ValueError, KeyError, TypeError) as failure:
                raise MalformedDataError(
                    f"'{self._journal.path}', line {number}: not a list of masks: {failure}"
                ) from failure

    def _begin(self, name: str, digests: dict[str, str]) -> None:
        self._made.pop(name, None)  # from here on its files are the new ones
        written = self._written.setdefault(name, {})
        for file, digest in digests.items():
            if not Path(file).is_absolute() and ".." not in Path(file).parts:
                written.setdefault(file, set()).add(digest)

    def kept(self, name: str, path: Path, files: list[str]) -> dict[str, int] | None:
        """Return the pixels of masks that need not be made, None for those that do.

        Raises
        ------
        ArgumentError
            If there are files that must not be replaced.
        """
        if self._overwrite:
            return None
        before, written = self._made.get(name), self._written.get(name, {})
        known = dict.fromkeys([*written, *files, *(before["files"] if before else ())])
        there = [file for file in known if (self._folder / file).exists()]
        if before is not None and before["made with"] == self._made_with and before["of"] == _state(path):
            if set(before["files"]) <= set(there):
                pixels: dict[str, int] = before["pixels"]
                return pixels
        elif before is not None and there:
            differs = _differences(before["made with"], self._made_with)
            if before["of"] != _state(path):
                differs.insert(0, "of another file, or an older one")
            raise ArgumentError(
                f"'{self._folder / there[0]}' was made {' and '.join(differs)}; choose another folder, or "
                "replace it with overwrite (--overwrite)"
            )
        for file in there:
            if _sha256(self._folder / file) not in written.get(file, ()):
                raise ArgumentError(
                    f"'{self._folder / file}' is there and not of an earlier run, or was changed since; move "
                    "it away, or replace it with overwrite (--overwrite)"
                )
        return None

    def write(self, name: str, path: Path, ready: Files) -> None:
        """Write a film's files in place of those of earlier runs."""
        earlier = set(self._written.get(name, {})) - set(ready.contents)
        digests = {file: hashlib.sha256(content).hexdigest() for file, content in ready.contents.items()}
        self._journal.line({"begun": name, "files": digests})
        self._begin(name, digests)
        for file in earlier:
            with contextlib.suppress(OSError):
                (self._folder / file).unlink()
        ready.write(self._folder)
        self._journal.line(
            {
                "film": name,
                "of": _state(path),
                "made with": self._made_with,
                "files": list(ready.contents),
                "pixels": ready.pixels,
            }
        )


def _differences(before: Any, now: dict[str, Any]) -> list[str]:
    """Return which options of an earlier run were others, with their values where these are short."""
    if not isinstance(before, dict):
        return ["with other options"]
    told = []
    for name in dict.fromkeys([*now, *before]):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        values = f"{name} {old}, now {new}"
        short = name != "weights" and len(values) <= _MOST_LETTERS
        told.append(values if short else f"other {name}")
    return [f"with {', '.join(told)}"] if told else []


def _state(path: Path) -> list[Any]:
    """Return what tells whether a file is still the same."""
    try:
        known = path.stat()
    except OSError as failure:
        raise _engine.os_error(path, "cannot be read", failure) from failure
    return [path.name, known.st_size, known.st_mtime_ns]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as failure:
        raise _engine.os_error(path, "cannot be read", failure) from failure
    return digest.hexdigest()
