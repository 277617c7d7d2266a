"""Damage in many scans: scans in, folders of pieces out, one scan after another."""

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinekit import _engine
from spinekit._inputs import Kind, find_inputs
from spinekit._progress import Progress
from spinekit._results import ResultFolder, Results
from spinekit.damage.finding import check_model, searched, settings_of
from spinekit.damage.formats import FORMATS, OVERLAY_NAME, OVERLAY_SIDE, check_formats
from spinekit.damage.model import ColorModel
from spinekit.damage.piece import checked_scale
from spinekit.damage.settings import MEMORY, bytes_of

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".png", ".jpg", ".jpeg")

#: Of every format a file that is there whatever was found.
_FILES = {
    "svg": "pieces.svg",
    "csv": "pieces.csv",
    "json": "pieces.json",
    "geojson": "pieces.geojson",
    "dxf": "pieces.dxf",
    "overlay": OVERLAY_NAME,
}


def _without_ending(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in SUFFIXES else path


def _is_scan(path: Path) -> bool:
    beside = any((path.parent / file).exists() for file in _FILES.values() if file != OVERLAY_NAME)
    return path.suffix.lower() in SUFFIXES and not (path.name == OVERLAY_NAME and beside)


SCANS = Kind(
    inputs="scans",
    results="pieces",
    expected="TIFF, PNG or JPEG",
    maker="sk.find_damage_files",
    journal_name="spinekit-damage.jsonl",
    accepts=_is_scan,
    marks=(),
    without_ending=_without_ending,
)


@dataclass(eq=False)
class DamagedScans(Results):
    """What `find_damage_files` has written.

    Attributes
    ----------
    folder : of everything
    found : of each scan by its name, what was there already included: "pieces" their number, "pixels" that
        are damaged, "area_px", "area_mm2" and "mm_per_pixel" (None where the scale is unknown), "notes"
    kept : names of scans whose pieces were there
    failures : why a scan has no pieces, by its name
    names : of all scans, in order
    seconds : wall time
    """

    found: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return super().to_dict() | {"found": self.found}

    def __str__(self) -> str:
        kept = f", {len(self.kept)} were there" if self.kept else ""
        made = len(self.found) - len(self.kept)
        lines = [
            f"{made} of {len(self.names)} scans searched in {self.seconds:.1f} s, their pieces are in "
            f"'{self.folder}'{kept}"
        ]
        for name, one in self.found.items():
            count = f"{one['pieces']:,} piece{'' if one['pieces'] == 1 else 's'}"
            size = f"{one['pixels']:,} damaged pixels"
            if one["mm_per_pixel"] is not None:
                x, y = one["mm_per_pixel"]
                scale = f"{x:.4g}" if x == y else f"{x:.4g} x {y:.4g}"
                size += f", {one['pixels'] * x * y:,.1f} mm2 at {scale} mm a pixel"
            lines.append(f"  {name}: {count}, {size}")
            lines += [f"    {note}" for note in one["notes"]]
        return "\n".join([*lines, *self.failed_lines()])


def find_damage_files(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    model: ColorModel | str | os.PathLike[str],
    *,
    formats: Sequence[str] = ("svg", "csv", "json", "overlay"),
    mm_per_pixel: float | tuple[float, float] | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    **options: Any,
) -> DamagedScans:
    """Find the damage of scans and write their pieces; the same call goes on where it was stopped.

    Parameters
    ----------
    source : a scan, several, or folders of them: TIFF, PNG, JPEG
    out : folder; made if it is not there. Each scan has a folder of its name in it
    model : a `ColorModel`, or the file of one
    formats : of

        - "svg": ``piece-0001.svg``, ... to cut, and ``pieces.svg`` with all and their numbers
        - "csv", "json", "geojson", "dxf": ``pieces.csv``, ...; see `DamagedPieces`
        - "overlay": ``overlay.png``, the scan made smaller, with its pieces and their numbers
    mm_per_pixel : of all scans, (x, y) or both; None for what the files say
    overwrite : make everything again, and replace what is there, files that were changed by hand too
    progress : whether bars are shown; None where somebody looks
    options : of `find_damage`: boundary, numbering, min_area, ...

    Returns
    -------
    scans : numbers, areas and failures by name, which is the scan's path in its folder without ending

    Raises
    ------
    ArgumentError
        If an option makes no sense, or there are no scans, or `out` holds scans itself.
    ResourceError
        If `out` cannot be written to, or another run is writing there.
    SpinekitError
        Of the model. What is wrong with a scan is named in `failures`, and the rest goes on.

    Notes
    -----
    ``spinekit-damage.jsonl`` in `out` tells what was made from what. Scans whose pieces are there, of the
    same file, model and options, are not searched again. Pieces of others, and files that are no longer what
    a run wrote, as after correction by hand, are never replaced unless `overwrite`: that scan fails. Memory
    is that of one scan's search, and its pieces.

    Examples
    --------
    >>> done = sk.find_damage_files("scans/", "cut/", "model.json", boundary="brightness")  # doctest: +SKIP
    """
    started = time.perf_counter()
    check_formats(formats)
    if not isinstance(model, ColorModel):
        model = ColorModel.load(model)
    check_model(model)
    means = {name: options.pop(name) for name in ("memory_limit", "workers") if name in options}
    settings = settings_of(**options)
    bytes_of(means.get("memory_limit", MEMORY))
    _engine.worker_count(means.get("workers"))
    folder = _engine.path_of(out)
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    scans = find_inputs([_engine.path_of(path) for path in paths], folder, SCANS)
    scale = mm_per_pixel if mm_per_pixel is None else checked_scale(mm_per_pixel)
    made_with = {
        "model": model.to_dict(),
        "settings": settings.to_dict(),
        "mm_per_pixel": scale and list(scale),
        "formats": [name for name in FORMATS if name in formats],
    }
    done = DamagedScans(folder, names=list(scans))
    with (
        contextlib.closing(
            ResultFolder(folder, SCANS.journal_name, made_with, overwrite=overwrite)
        ) as results,
        Progress(len(scans) if len(scans) > 1 else 0, progress, "scans") as bar,
    ):
        for name, path in scans.items():
            with done.noting_failure(name):
                found = results.kept(name, path, [f"{name}/{_FILES[one]}" for one in formats])
                if found is not None:
                    done.kept.append(name)
                else:
                    pieces, preview = searched(
                        path,
                        model,
                        settings,
                        mm_per_pixel=scale,
                        progress=progress,
                        side=OVERLAY_SIDE if "overlay" in formats else 0,
                        **means,
                    )
                    files = pieces.files(formats, preview=preview)
                    found = {
                        "pieces": len(pieces),
                        "pixels": pieces.pixels,
                        "area_px": pieces.area,
                        "area_mm2": pieces.area_mm2,
                        "mm_per_pixel": pieces.mm_per_pixel and list(pieces.mm_per_pixel),
                        "notes": list(pieces.notes),
                    }
                    results.write(
                        name, path, {f"{name}/{file}": content for file, content in files.items()}, found
                    )
                done.found[name] = found
            bar.advance()
    done.seconds = time.perf_counter() - started
    return done
