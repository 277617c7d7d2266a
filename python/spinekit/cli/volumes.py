"""The command for volumes."""

import argparse
import sys
from pathlib import Path

import spinekit as sk
from spinekit.cli.commands import FAILED, OK, Commands, print_json, worker_options


def add_commands(commands: Commands) -> None:
    """Add the command of this module."""
    volume = commands.add(
        "volume",
        _volume,
        "open a volume and print its series, geometry, findings and times",
        "spinekit volume CT/ --out ct.nii.gz",
    )
    volume.add_argument("source", help="folder, ZIP, DICOM or NIfTI file, URL; - reads a stream from stdin")
    volume.add_argument("--series", metavar="UID", help="which series (default: the one with most images)")
    volume.add_argument("--order", default="middle-out", choices=("middle-out", "sequential", "interleaved"))
    volume.add_argument(
        "--coarse",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="first everything at a quarter of the resolution, where frames allow (default: over HTTP)",
    )
    volume.add_argument(
        "--out", metavar="FILE", help="write .nii.gz, .nii, .npy, or a sheet of slices as .png"
    )
    volume.add_argument("--overwrite", action="store_true", help="replace an existing file")
    worker_options(volume)


def _volume(options: argparse.Namespace) -> int:
    from spinekit.volumes import summary  # noqa: PLC0415 - used here alone

    out = None if options.out is None else Path(options.out)
    if out is not None:
        summary.check_target(out, overwrite=options.overwrite)
    with sk.open_volume(
        sys.stdin.buffer if options.source == "-" else options.source,
        series=options.series,
        order=options.order,
        coarse=options.coarse,
        workers=options.workers,
        progress=options.progress,
    ) as volume:
        volume.wait()
        if options.json:
            print_json(summary.values_of(volume))
        else:
            print(summary.text_of(volume))
        if out is not None:
            summary.write_volume(volume, out)
        return FAILED if volume.errors else OK
