"""The command that finds bones on films: segment."""

import argparse

import spinekit as sk
from spinekit import _engine
from spinekit._inputs import find_inputs
from spinekit.cli.commands import Commands, finished
from spinekit.segmentation.finding import FILMS


def add_commands(commands: Commands) -> None:
    """Add the command of this module."""
    segment = commands.add(
        "segment",
        _segment,
        "find the bones on lateral films and write their masks, as spinekit measure reads them",
        "spinekit segment films/ --weights spine.safetensors --out masks",
    )
    segment.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="DICOM or pictures, or folders of them; they go first, before options such as --tilts",
    )
    segment.add_argument(
        "--weights", required=True, metavar="FILE", help=".safetensors, official TransUNet .pth, TorchScript"
    )
    segment.add_argument("--out", required=True, metavar="FOLDER", help="of the masks")
    segment.add_argument(
        "--format",
        default="png",
        choices=("png", "npz", "nifti"),
        help="png: a folder for each film with L1.png ... FH2.png (default); npz; nifti: .nii.gz",
    )
    segment.add_argument(
        "--threshold", type=float, default=0.5, metavar="P", help="probability of masks (default: 0.5)"
    )
    segment.add_argument("--probabilities", action="store_true", help="write these instead of masks")
    segment.add_argument(
        "--overlay",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a picture of each film with its masks too (default)",
    )
    segment.add_argument(
        "--tilts",
        type=float,
        nargs="+",
        default=(),
        metavar="DEGREES",
        help="average with tilted views, as -5 5",
    )
    segment.add_argument(
        "--size", type=int, nargs=2, metavar=("ROWS", "COLUMNS"), help="of the network's input"
    )
    segment.add_argument(
        "--spacing", type=float, nargs=2, metavar=("ROW", "COLUMN"), help="mm, instead of what the files say"
    )
    segment.add_argument("--precision", default="fp32", choices=("fp32", "bf16"), help="default: fp32")
    segment.add_argument("--threads", type=int, metavar="N", help="default: every core")
    segment.add_argument("--device", default="cpu", metavar="NAME", help="cpu (default), cuda, cuda:1")
    segment.add_argument(
        "--labels", nargs="+", metavar="NAME", help="of the classes, where the file has none"
    )
    segment.add_argument("--channels", type=int, metavar="N", help="of a foreign TorchScript file")
    segment.add_argument(
        "--activation",
        choices=("sigmoid", "softmax"),
        help="default: what the file says, else softmax of an official .pth, sigmoid of others",
    )
    segment.add_argument("--overwrite", action="store_true", help="make and write everything again")
    segment.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, default=None, help="bar (default: on terminals)"
    )


def _segment(options: argparse.Namespace) -> int:
    # What is wrong with the places is told before weights are read.
    find_inputs([_engine.path_of(path) for path in options.files], _engine.path_of(options.out), FILMS)
    segmenter = sk.Segmenter(
        options.weights,
        precision=options.precision,
        threads=options.threads,
        device=options.device,
        size=options.size,
        labels=options.labels,
        channels=options.channels,
        activation=options.activation,
    )
    found = sk.segment_files(
        options.files,
        options.out,
        segmenter,
        format=options.format,
        threshold=options.threshold,
        probabilities=options.probabilities,
        overlay=options.overlay,
        tilts=options.tilts,
        spacing=options.spacing,
        overwrite=options.overwrite,
        progress=options.progress,
    )
    return finished(found, as_json=options.json)
