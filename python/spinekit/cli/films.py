"""Commands for films: phantom, measure, agreement."""

import argparse

import spinekit as sk
from spinekit.cli.commands import FAILED, OK, Commands, print_json, worker_options


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
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
    if options.json:
        print_json(written.to_dict())
    else:
        print(written)
    return OK if written.ok else FAILED
