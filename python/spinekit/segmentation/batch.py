"""Segmenting many films: films in, masks out, one film in memory at a time."""

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from spinekit import _engine
from spinekit._core import ArgumentError
from spinekit._inputs import find_inputs
from spinekit._progress import Progress
from spinekit._results import ResultFolder, Results, sha256_of
from spinekit.radiograph import checked_spacing
from spinekit.radiographs import read_radiograph
from spinekit.segmentation.engine import checked_size
from spinekit.segmentation.finding import FILMS
from spinekit.segmentation.segmenter import MAX_PIXELS, Segmenter
from spinekit.segmentation.tilting import checked_tilts
from spinekit.segmentation.writing import Form, Segmented, encoded

#: Of a summary, on masks that are empty.
_MOST_LINES = 10


@dataclass(eq=False)
class SegmentedFilms(Results):
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

    pixels: dict[str, dict[str, int]] = field(default_factory=dict)

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
        return super().to_dict() | {"pixels": self.pixels}

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
        return "\n".join([*lines, *self.failed_lines()])


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
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    films = find_inputs([_engine.path_of(path) for path in paths], folder, FILMS)
    if not isinstance(weights, Segmenter):
        weights = Segmenter(weights, **options)
    elif options:
        raise ArgumentError(f"{', '.join(options)}: the Segmenter has its own")
    form.check(weights.labels)
    made_with = {
        "weights": sha256_of(weights.path),
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
        contextlib.closing(
            ResultFolder(folder, FILMS.journal_name, made_with | asdict(form), overwrite=overwrite)
        ) as results,
        Progress(len(films), progress, "films") as bar,
    ):
        for name, path in films.items():
            with made.noting_failure(name):
                files = form.files(name, weights.labels)
                pixels = results.kept(name, path, files)
                if pixels is not None:
                    made.kept.append(name)
                else:
                    film = read_radiograph(
                        path, spacing=given, max_pixels=max_pixels, workers=weights.threads
                    )
                    maps = weights.predict(film, size=size, tilts=angles, max_pixels=max_pixels)
                    ready = encoded(name, Segmented(film, maps, weights.labels, made_with), form)
                    results.write(name, path, ready.contents, ready.pixels)
                    pixels = ready.pixels
                made.pixels[name] = pixels
            bar.advance()
    made.seconds = time.perf_counter() - started
    return made
