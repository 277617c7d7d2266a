"""The command that finds damage in scans: damage."""

import argparse
from collections.abc import Sequence
from typing import Any

import spinekit as sk
from spinekit import _engine
from spinekit._inputs import find_inputs
from spinekit.cli.commands import Commands, finished, worker_options
from spinekit.damage.batch import SCANS
from spinekit.damage.formats import FORMATS
from spinekit.damage.settings import AT_BOUNDARY, MEMORY, NUMBERINGS


def add_commands(commands: Commands) -> None:
    """Add the command of this module."""
    damage = commands.add(
        "damage",
        _damage,
        "find the damage in very large scans by its colour, number it, and write SVG to cut",
        "spinekit damage scan.tif --model model.json --out cut --mm-per-pixel 0.0423",
    )
    damage.add_argument("scans", nargs="+", metavar="SCAN", help="TIFF, PNG, JPEG, or folders of them")
    damage.add_argument("--out", metavar="FOLDER", help="of the pieces; each scan gets a folder in it")
    model = damage.add_argument_group("colours", "of a model, or of boxes x y width height on the first scan")
    model.add_argument("--model", metavar="FILE", help="as --save-model or ColorModel.save wrote it")
    for name, what in (("background", "damage: what shines through"), ("foreground", "the work itself")):
        model.add_argument(
            f"--{name}",
            type=int,
            nargs=4,
            action="append",
            metavar=("X", "Y", "WIDTH", "HEIGHT"),
            help=f"a box on {what}; may be given several times",
        )
    model.add_argument(
        "--rule", choices=("mahalanobis", "qda"), help="of a model of boxes; default: mahalanobis"
    )
    model.add_argument(
        "--reject", type=float, metavar="D2", help="squared distance beyond which nothing is damage"
    )
    model.add_argument("--save-model", metavar="FILE", help="write the model of the boxes")
    _add_search(damage)
    damage.add_argument(
        "--formats",
        nargs="+",
        default=("svg", "csv", "json", "overlay"),
        choices=FORMATS,
        help="what is written (default: svg csv json overlay)",
    )
    damage.add_argument(
        "--mm-per-pixel",
        type=float,
        nargs="+",
        metavar="MM",
        help="one number, or x and y, as 0.0423 for 600 dpi (25.4 / 600); default: what the file says",
    )
    damage.add_argument(
        "--memory-limit", default=MEMORY, metavar="SIZE", help=f"of the work (default: {MEMORY})"
    )
    damage.add_argument(
        "--overwrite",
        action="store_true",
        help="make and write everything again, also what was changed by hand",
    )
    worker_options(damage)


def _add_search(damage: argparse.ArgumentParser) -> None:
    search = damage.add_argument_group(
        "search", "sizes are meant for 7216 x 5412 pixels and scaled to the scan, unless --no-scale"
    )
    search.add_argument(
        "--boundary",
        nargs="+",
        default=["none"],
        metavar="HOW",
        help="of the artwork: none (default), brightness, edges, or X Y WIDTH HEIGHT",
    )
    search.add_argument(
        "--at-boundary",
        default="keep",
        choices=AT_BOUNDARY,
        help="regions that touch the boundary: keep (default), but for what surrounds the artwork, or remove",
    )
    search.add_argument(
        "--margin",
        type=int,
        metavar="PX",
        help="draws the boundary in (default: 10 if it was found, 0 if it was given)",
    )
    search.add_argument(
        "--kernel",
        type=int,
        default=3,
        metavar="PX",
        help="of the opening (default: 3, the least where scaled)",
    )
    search.add_argument("--join", action="store_true", help="make one of pieces near each other")
    search.add_argument("--morph-size", type=int, default=9, metavar="PX", help="of --join (default: 9)")
    search.add_argument("--min-area", type=int, default=50, metavar="PX", help="default: 50")
    search.add_argument("--max-area", type=int, metavar="PX", help="default: no limit")
    search.add_argument("--numbering", default="grid", choices=NUMBERINGS, help="default: grid")
    search.add_argument("--grid", type=int, default=500, metavar="PX", help="side of a cell (default: 500)")
    search.add_argument(
        "--epsilon",
        type=float,
        default=0.9,
        metavar="PX",
        help="of outlines, in pixels of the scan (default: 0.9)",
    )
    search.add_argument(
        "--scale",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="scale sizes to the scan (default)",
    )


def _damage(options: argparse.Namespace) -> int:
    if options.out is None and options.save_model is None:
        raise sk.ArgumentError("--out: missing; it is the folder that pieces are written to")
    model = _model(options)
    if options.save_model is not None:
        target = _engine.path_of(options.save_model)
        if target.suffix.lower() != ".json" and target.exists():
            raise sk.ArgumentError(f"--save-model: '{target}' is there and no .json; name another file")
        model.save(target)
    if options.out is None:
        return 0
    found = sk.find_damage_files(
        options.scans,
        options.out,
        model,
        formats=options.formats,
        mm_per_pixel=_scale(options.mm_per_pixel),
        overwrite=options.overwrite,
        progress=options.progress,
        workers=options.workers,
        memory_limit=options.memory_limit,
        boundary=_boundary(options.boundary),
        at_boundary=options.at_boundary,
        margin=options.margin,
        kernel=options.kernel,
        join=options.join,
        morph_size=options.morph_size,
        min_area=options.min_area,
        max_area=options.max_area,
        numbering=options.numbering,
        grid=options.grid,
        epsilon=options.epsilon,
        scale=options.scale,
    )
    return finished(found, as_json=options.json)


def _model(options: argparse.Namespace) -> sk.ColorModel:
    boxes = options.background is not None or options.foreground is not None
    if (options.model is None) == (not boxes):
        raise sk.ArgumentError("give --model, or boxes by --background and --foreground, and not both")
    if not boxes:
        for name in ("rule", "reject", "save_model"):
            if getattr(options, name) is not None:
                raise sk.ArgumentError(f"--{name.replace('_', '-')}: of a model of boxes, not of --model")
        return sk.ColorModel.load(options.model)
    out = None if options.out is None else _engine.path_of(options.out)
    scans = find_inputs([_engine.path_of(path) for path in options.scans], out, SCANS)
    return sk.ColorModel.fit(
        next(iter(scans.values())),
        background=options.background or (),
        foreground=options.foreground or (),
        rule=options.rule or "mahalanobis",
        reject=options.reject,
        memory_limit=options.memory_limit,
    )


def _boundary(words: Sequence[str]) -> Any:
    if len(words) == 1:
        return words[0]
    try:
        return tuple(int(word) for word in words)
    except ValueError:
        raise sk.ArgumentError(
            f"--boundary: {' '.join(words)}, expected none, brightness, edges, or X Y WIDTH HEIGHT"
        ) from None


def _scale(values: Sequence[float] | None) -> Any:
    if values is None:
        return None
    return values[0] if len(values) == 1 else tuple(values)
