"""Commands for films: film, phantom, measure, agreement."""

import argparse
import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spinekit as sk
from spinekit import _engine
from spinekit._core import map_levels
from spinekit._figures import write_figure
from spinekit._inputs import find_inputs
from spinekit.cli.commands import FAILED, OK, Commands, finished, print_json, worker_options
from spinekit.filters.filtering import film_pixels
from spinekit.filters.settings import mapping
from spinekit.measurement.films import without_ending
from spinekit.radiograph import Radiograph
from spinekit.radiographs.writing import write_png
from spinekit.segmentation.finding import FILMS


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    film = commands.add(
        "film",
        _film,
        "read films: size, spacing and where it is from, what was applied; write them as PNG",
        "spinekit film film.dcm scan.tif --out pictures",
    )
    film.add_argument(
        "files", nargs="+", metavar="FILE", help="DICOM, PNG, TIFF, JPEG, ..., or folders of them"
    )
    film.add_argument(
        "--spacing", type=float, nargs=2, metavar=("ROW", "COLUMN"), help="mm, instead of what the files say"
    )
    film.add_argument("--frame", type=int, metavar="N", help="of files with several, from 0")
    film.add_argument(
        "--voi",
        default="auto",
        metavar="NAME",
        help="auto (default), none, or one of the file by number or name",
    )
    film.add_argument("--invert", action="store_true", help="exchange bright and dark")
    film.add_argument(
        "--out",
        metavar="FOLDER",
        help="write a PNG of each, bone bright, in 8 or 16 bits, levels as they are: films of 10 or 12 "
        "bits look black in viewers, unless --stretch is given",
    )
    film.add_argument(
        "--stretch", action="store_true", help="write 8 bits, black to white from the film's own levels"
    )
    film.add_argument("--overwrite", action="store_true", help="replace existing files")

    phantom = commands.add(
        "phantom",
        _phantom,
        "write films of random spines with their truth: images, masks, landmarks, parameters, DICOM",
        "spinekit phantom --count 1000 --out phantoms --rows 1024 --implants 0.3",
    )
    phantom.add_argument("--count", type=int, required=True, metavar="N", help="number of phantoms")
    phantom.add_argument("--out", required=True, metavar="FOLDER", help="new, empty, or of an earlier run")
    phantom.add_argument("--seed", type=int, default=0, metavar="N", help="of the first one (default: 0)")
    phantom.add_argument("--rows", type=int, default=1024, metavar="N", help="of the films (default: 1024)")
    phantom.add_argument(
        "--columns", type=int, metavar="N", help="of the films (default: 0.82 times the rows)"
    )
    phantom.add_argument(
        "--facing", default="left", choices=("left", "right", "random"), help="where patients look to"
    )
    phantom.add_argument(
        "--implants",
        type=float,
        nargs="?",
        const=1.0,
        default=0.0,
        metavar="SHARE",
        help="instrumented spines, 0 to 1 (without a number: all)",
    )
    phantom.add_argument(
        "--dicom", action=argparse.BooleanOptionalAction, default=True, help="films as DICOM too (default)"
    )
    phantom.add_argument("--ct", action="store_true", help="also a CT of each, about 80 MB")
    phantom.add_argument(
        "--format", default="png", choices=("png", "tiff", "npz"), help="of the masks (default: png)"
    )
    worker_options(phantom)

    measure = commands.add(
        "measure",
        _measure,
        "measure spinopelvic parameters from masks or key points of lateral films",
        "spinekit measure masks/ --spacing 0.2 0.2 --out ours.csv",
    )
    measure.add_argument(
        "masks",
        help=".npy, .npz, labelme .json, .tif of eight pages, .nii.gz of segment, "
        "a folder with L1.png ... FH2.png, or a folder of such cases",
    )
    measure.add_argument(
        "--spacing",
        type=float,
        nargs=2,
        metavar=("ROW", "COLUMN"),
        help="mm (default: what masks or film say, else lengths are in pixels)",
    )
    measure.add_argument(
        "--method", default="robust", choices=("robust", "report"), help="default: robust, with intervals"
    )
    measure.add_argument(
        "--points",
        action="store_true",
        help="measure key points of labelme files even where outlines are there, as after correction by hand",
    )
    measure.add_argument("--film", metavar="FILE", help="DICOM or picture; a folder of them for many cases")
    measure.add_argument(
        "--plot", metavar="FILE", help="draw to .png, .svg or .pdf; to a folder for many cases"
    )
    measure.add_argument("--out", metavar="FILE", help="write .csv, a row for each film, or .json with all")
    measure.add_argument("--overwrite", action="store_true", help="replace existing files")
    worker_options(measure)

    agreement = commands.add(
        "agreement",
        _agreement,
        "compare two tables of measurements: errors, ICC, Bland-Altman, completion",
        "spinekit agreement ours.csv theirs.csv --parameters pi pt ss ll --out agreement.html",
    )
    agreement.add_argument("ours", help="CSV: a row for each film, a column of ids, a column a parameter")
    agreement.add_argument("theirs", help="CSV of another rater; films match by id, parameters by name")
    agreement.add_argument("others", nargs="*", help="CSV of further raters, who enter the ICC")
    agreement.add_argument("--parameters", nargs="+", metavar="NAME", help="default: all that they share")
    agreement.add_argument("--by", metavar="COLUMN", help="of ids (default: film, id, image, case, ...)")
    agreement.add_argument("--names", nargs="+", metavar="NAME", help="of the raters (default: ours theirs)")
    agreement.add_argument("--out", metavar="FILE", help="write .csv, .json, or a page: .html")
    agreement.add_argument("--plot", metavar="FILE", help="draw Bland-Altman to .png, .svg or .pdf")
    agreement.add_argument("--overwrite", action="store_true", help="replace existing files")


def _film(options: argparse.Namespace) -> int:
    voi = int(options.voi) if options.voi.isdecimal() else options.voi
    found: dict[str, Any] = {}
    failures: dict[str, str] = {}
    folder = None if options.out is None else Path(options.out).expanduser()
    if folder is not None and folder.exists() and not folder.is_dir():
        raise sk.ArgumentError(f"--out {folder}: expected a folder")
    if options.stretch and folder is None:
        raise sk.ArgumentError("--stretch is for what is written: give --out")
    films = _films(options.files, folder)
    taken = _Taken(list(films))
    for name, target in films.items():
        try:
            film = sk.read_radiograph(
                name, spacing=options.spacing, frame=options.frame, voi=voi, invert=options.invert
            )
            found[name] = _film_values(film)
            if folder is not None:
                if options.stretch:
                    film = dataclasses.replace(film, pixels=map_levels(film_pixels(film), mapping("film", 8)))
                path = folder / f"{target}.png"
                _write_film(film, path, taken, overwrite=options.overwrite)
                found[name]["png"] = str(path)
        except sk.SpinekitError as failure:
            failures[name] = str(failure)
            continue
        if not options.json:
            print(film)
            print(f"  spacing: {film.spacing_from or 'unknown'}")
            for key, value in film.notes.items():
                for line in value if isinstance(value, list) else [value]:
                    print(f"  {key}: {line}")
    if options.json:
        print_json({"films": found, "failures": failures})
    else:
        for problem in failures.values():
            print(f"FAILED: {problem}")
    return FAILED if failures else OK


def _film_values(film: Radiograph) -> dict[str, Any]:
    rows, columns = film.shape
    return {
        "rows": rows,
        "columns": columns,
        "dtype": str(film.pixels.dtype),
        "spacing": None if film.spacing is None else list(film.spacing),
        "spacing_from": film.spacing_from,
        "notes": film.notes,
    }


class _Taken:
    """Files that a run must not replace even where it may overwrite: its sources, and what it wrote."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._files: dict[tuple[int, int], str] = {}
        for name in sources:
            with contextlib.suppress(OSError):  # reading it tells why not
                self.add(Path(name).expanduser(), "is a film of this run itself; choose another folder")

    def add(self, path: Path, why: str) -> None:
        """Keep a file, under whatever names and links it is known."""
        known = path.stat()
        self._files[known.st_dev, known.st_ino] = why

    def check(self, path: Path) -> None:
        """Raise an ArgumentError if a path is one of them."""
        try:
            known = path.stat()
        except OSError:
            return
        if why := self._files.get((known.st_dev, known.st_ino)):
            raise sk.ArgumentError(f"'{path}' {why}")


def _films(names: Sequence[str], out: Path | None) -> dict[str, str]:
    """Return what each film is written as, without ending; folders are searched for films."""
    films: dict[str, str] = {}
    for name in names:
        path = Path(name).expanduser()
        if path.is_dir():
            inside = find_inputs([path], out, FILMS)
            films |= {str(film): target for target, film in inside.items()}
        else:
            films[name] = without_ending(path).name
    return films


def _write_film(film: Radiograph, path: Path, taken: _Taken, *, overwrite: bool) -> None:
    taken.check(path)
    if path.exists() and not overwrite:
        raise sk.ArgumentError(f"'{path}' exists; --overwrite replaces it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise _engine.os_error(path.parent, "cannot be created", failure) from failure
    write_png(film, path)
    with contextlib.suppress(OSError):
        taken.add(path, "was written in this run, of a film that is called the same; write them apart")


def _phantom(options: argparse.Namespace) -> int:
    written = sk.phantom.write(
        options.out,
        count=options.count,
        seed=options.seed,
        rows=options.rows,
        columns=options.columns,
        facing=options.facing,
        implants=options.implants,
        dicom=options.dicom,
        ct=options.ct,
        mask_format=options.format,
        workers=options.workers,
        progress=options.progress,
    )
    return finished(written, as_json=options.json)


def _check_target(option: str, name: str | None, suffixes: tuple[str, ...], *, overwrite: bool) -> None:
    """Raise an error where writing would fail after everything was computed."""
    if name is None:
        return
    path = Path(name).expanduser()
    if path.suffix.lower() not in suffixes:
        raise sk.ArgumentError(f"{option} {name}: expected a name that ends in {', '.join(suffixes)}")
    if not path.absolute().parent.is_dir():
        raise sk.ArgumentError(f"{option} {name}: no such folder")
    if path.exists() and not overwrite:
        raise sk.ArgumentError(f"{option} {name} exists; --overwrite replaces it")


def _measure(options: argparse.Namespace) -> int:
    _check_target("--out", options.out, (".csv", ".json"), overwrite=options.overwrite)
    found = sk.measure_files(
        options.masks,
        options.spacing,
        method=options.method,
        points=options.points,
        film=options.film,
        plot=options.plot,
        overwrite=options.overwrite,
        workers=options.workers,
        progress=options.progress,
    )
    if options.out is not None:
        write = found.to_csv if options.out.lower().endswith(".csv") else found.to_json
        write(options.out)
    return finished(found, as_json=options.json)


def _agreement(options: argparse.Namespace) -> int:
    _check_target("--out", options.out, (".csv", ".json", ".html"), overwrite=options.overwrite)
    _check_target("--plot", options.plot, (".png", ".svg", ".pdf"), overwrite=options.overwrite)
    found = sk.agreement(
        options.ours,
        options.theirs,
        *options.others,
        parameters=options.parameters,
        by=options.by,
        names=options.names,
    )
    if options.out is not None:
        writers = {".csv": found.to_csv, ".json": found.to_json, ".html": found.to_html}
        writers[Path(options.out).suffix.lower()](options.out)
    if options.plot is not None:
        write_figure(found.plot(), Path(options.plot).expanduser())
    if options.json:
        print_json(found.to_dict())
    else:
        print(found)
    return OK
