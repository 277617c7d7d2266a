"""Commands for archives: compress, decompress, compare, verify, bundle."""

import argparse
from pathlib import Path
from typing import Any

import spinekit as sk
from spinekit.cli.commands import OK, Commands, finished, print_json, worker_options
from spinekit.report import Report

#: Methods of a report by the suffix of the file that they write.
_REPORT_WRITERS = {".csv": "to_csv", ".json": "to_json", ".html": "to_html"}


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    compress = commands.add(
        "compress",
        _compress,
        "compress DICOM images to an exact file ratio, without loss, or to a quality",
        "spinekit compress CT/ out/ --ratio 10 --report out.csv",
    )
    _batch_options(compress)
    how = compress.add_mutually_exclusive_group()
    how.add_argument("--ratio", type=float, metavar="R", help="exact ratio of file sizes, for example 10")
    how.add_argument("--lossless", action="store_true", help="every sample identical (the default)")
    how.add_argument("--quality", type=float, metavar="Q", help="1-100, as gdcmconv's --quality (PSNR in dB)")
    compress.add_argument(
        "--codec",
        default="j2k",
        choices=("j2k", "jpegls", "htj2k"),
        help="default: j2k; the others with --lossless",
    )
    compress.add_argument(
        "--force-lossy", action="store_true", help="with --ratio: 9/7 also where lossless meets the target"
    )
    compress.add_argument(
        "--sample", type=int, metavar="N", help="try N files, write nothing, print what the batch will give"
    )

    decompress = commands.add(
        "decompress",
        _decompress,
        "decompress DICOM images to Explicit VR Little Endian",
        "spinekit decompress out/ plain/",
    )
    _batch_options(decompress)

    compare = commands.add(
        "compare",
        _compare,
        "compare two DICOM images sample by sample: PSNR, SSIM, differences",
        "spinekit compare before.dcm after.dcm",
    )
    compare.add_argument("a", help="DICOM file; its BitsStored gives the range of PSNR and SSIM")
    compare.add_argument("b", help="DICOM file of the same size")

    verify = commands.add(
        "verify",
        _verify,
        "audit a compressed archive against its report, without the originals",
        "spinekit verify out/",
    )
    verify.add_argument("folder", help="what compress has written")
    verify.add_argument("--no-decode", action="store_true", help="compare hashes of the files only")
    verify.add_argument("--report", metavar="FILE", help="also write the result: .csv or .json")
    worker_options(verify)

    bundle = commands.add(
        "bundle",
        _bundle,
        "put one series into a ZIP that shows its middle slice first",
        "spinekit bundle out/ series.zip",
    )
    bundle.add_argument("source", help="folder or ZIP of slices")
    bundle.add_argument("target", help="the new ZIP")
    bundle.add_argument("--order", default="middle-out", choices=("middle-out", "sequential", "interleaved"))
    bundle.add_argument("--series", metavar="UID", help="which series, if there are several")
    bundle.add_argument("--overwrite", action="store_true", help="replace an existing target")
    bundle.add_argument("--progress", action=argparse.BooleanOptionalAction, default=None)


def _batch_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", help="DICOM file, folder or ZIP")
    command.add_argument("target", nargs="?", help="new file, folder or .zip")
    command.add_argument("--no-verify", action="store_true", help="do not read back, decode and compare")
    command.add_argument(
        "--no-resume",
        action="store_true",
        help="do not go on from an earlier run",
    )
    command.add_argument("--overwrite", action="store_true", help="replace existing targets")
    command.add_argument(
        "--others", choices=("copy", "skip"), default="copy", help="files that are no images (default: copy)"
    )
    command.add_argument("--report", metavar="FILE", help="also write the report: .csv, .json or .html")
    worker_options(command)


def _write_report(report: Any, path: str | None) -> None:
    if path is None:
        return
    writer = getattr(report, _REPORT_WRITERS.get(Path(path).suffix.lower(), ""), None)
    if writer is None:
        raise sk.ArgumentError(f"--report {path}: expected a name that ends in .csv, .json or .html")
    try:
        writer(path)
    except OSError as failure:
        raise sk.ResourceError(f"'{path}' cannot be written: {failure.strerror}") from failure


def _finish(options: argparse.Namespace, report: Report) -> int:
    _write_report(report, options.report)
    return finished(report, as_json=options.json)


def _common(options: argparse.Namespace) -> dict[str, Any]:
    if options.report:
        if Path(options.report).suffix.lower() not in _REPORT_WRITERS:
            raise sk.ArgumentError(
                f"--report {options.report}: expected a name that ends in .csv, .json or .html"
            )
        if not Path(options.report).absolute().parent.is_dir():
            raise sk.ArgumentError(f"--report {options.report}: no such folder")
    return {
        "verify": not options.no_verify,
        "resume": not options.no_resume,
        "overwrite": options.overwrite,
        "others": options.others,
        "workers": options.workers,
        "progress": options.progress,
    }


def _compress(options: argparse.Namespace) -> int:
    if options.target is None and options.sample is None:
        raise sk.ArgumentError("name a target, or --sample N to try a few files first")
    report = sk.compress(
        options.source,
        options.target or "",
        ratio=options.ratio,
        quality=options.quality,
        codec=options.codec,
        force_lossy=options.force_lossy,
        sample=options.sample,
        **_common(options),
    )
    return _finish(options, report)


def _decompress(options: argparse.Namespace) -> int:
    if options.target is None:
        raise sk.ArgumentError("name a target")
    return _finish(options, sk.decompress(options.source, options.target, **_common(options)))


def _compare(options: argparse.Namespace) -> int:
    comparison = sk.compare(options.a, options.b)
    if options.json:
        print_json(comparison.to_dict())
    else:
        print(comparison)
    return OK


def _verify(options: argparse.Namespace) -> int:
    audit = sk.verify(
        options.folder,
        decode=not options.no_decode,
        workers=options.workers,
        progress=options.progress,
    )
    _write_report(audit, options.report)
    return finished(audit, as_json=options.json)


def _bundle(options: argparse.Namespace) -> int:
    made = sk.bundle(
        options.source,
        options.target,
        order=options.order,
        series=options.series,
        overwrite=options.overwrite,
        progress=options.progress,
    )
    if options.json:
        print_json({"path": str(made.path), "size": made.size, "manifest": made.manifest})
    else:
        print(made)
    return OK
