"""Commands about everything: demo, info."""

import argparse

import spinekit as sk
from spinekit.cli.commands import FAILED, OK, Commands, print_json


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    demo = commands.add(
        "demo",
        _demo,
        "run every capability once and write a page with pictures and tables",
        "spinekit demo CT/ --out demo",
    )
    demo.add_argument("folder", nargs="?", help="your own DICOM series (default: a phantom's CT)")
    demo.add_argument("--out", default="demo", help="folder of the page (default: demo)")
    demo.add_argument("--workers", type=int, metavar="N")

    commands.add("info", _info, "print versions, codecs and what is not there yet", "spinekit info")


def _demo(options: argparse.Namespace) -> int:
    from spinekit.demo import write_demo  # noqa: PLC0415 - slow to import, and used here alone

    page = write_demo(options.out, options.folder, workers=options.workers)
    if options.json:
        print_json({"page": str(page.path), "ok": page.ok, "problems": page.problems})
    else:
        print(page)
    return OK if page.ok else FAILED


def _info(options: argparse.Namespace) -> int:
    found = sk.info()
    if options.json:
        print_json(found)
        return OK
    print(f"spinekit {found['spinekit']}")
    for name, version in found["libraries"].items():
        print(f"  {name:<10} {version}")
    print(f"  {'Python':<10} {found['python']}")
    print(f"  {'NumPy':<10} {found['numpy']}")
    print(f"  {'platform':<10} {found['platform']}, {found['workers']} workers")
    segmentation = found["segmentation"]
    if segmentation["ready"]:
        told = [f"{name} {value}" for name, value in segmentation.items() if name != "ready"]
        print("segmentation: " + ", ".join(told))
    else:
        print(f"segmentation: not ready: {segmentation['why not']}")
    for direction in ("read", "write"):
        print(f"{direction}s: " + "; ".join(found["codecs"][direction]))
    print("not yet: " + "; ".join(found["not_yet"]))
    return OK
