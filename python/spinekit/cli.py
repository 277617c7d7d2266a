"""The command line: ``spinekit …``, also ``python -m spinekit``."""

import argparse
import contextlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import spinekit as sk
from spinekit.report import Report, plain_values

#: Exit codes: everything done; some items failed, all named; wrong usage.
OK, FAILED, USAGE = 0, 1, 2
_INTERRUPTED = 130

#: Methods of a report by the suffix of the file that they write.
_REPORT_WRITERS = {".csv": "to_csv", ".json": "to_json", ".html": "to_html"}

_Handler = Callable[[argparse.Namespace], int]


class _Commands:
    """The parser and its commands, each with an example in its help."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(
            prog="spinekit",
            description="Spine imaging from the archive to the angles.",
            epilog="Example: spinekit compress CT/ out/ --ratio 10",
        )
        self.parser.add_argument("--version", action="version", version=f"spinekit {sk.__version__}")
        self.parser.add_argument("--verbose", "-v", action="store_true", help="log what happens to stderr")
        self._commands = self.parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(self, name: str, handler: _Handler, summary: str, example: str) -> argparse.ArgumentParser:
        command = self._commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"Example: {example}",
        )
        command.set_defaults(handler=handler)
        command.add_argument("--json", action="store_true", help="print the result as JSON to stdout")
        return command


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
    _worker_options(command)


def _worker_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--workers", type=int, metavar="N", help="threads (default: every core)")
    command.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, default=None, help="bar (default: on terminals)"
    )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    commands = _Commands()

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
    _worker_options(verify)

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
    _worker_options(volume)

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
    _worker_options(phantom)

    demo = commands.add(
        "demo",
        _demo,
        "run every capability once and write a page with pictures and tables",
        "spinekit demo CT/ --out demo",
    )
    demo.add_argument("folder", nargs="?", help="your own DICOM series (default: a generated one)")
    demo.add_argument("--out", default="demo", help="folder of the page (default: demo)")
    demo.add_argument("--workers", type=int, metavar="N")

    commands.add("info", _info, "print versions, codecs and what is not there yet", "spinekit info")
    return commands.parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR, format="%(message)s")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be UTF-8
    try:
        return int(options.handler(options))
    except sk.ArgumentError as failure:
        print(f"spinekit {options.command}: {failure}", file=sys.stderr)
        return USAGE
    except sk.SpinekitError as failure:
        print(f"spinekit {options.command}: {failure}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        kept = (
            ""
            if options.command == "volume"
            else "; what is done is kept, the same command goes on from there"
        )
        print(f"\nstopped{kept}", file=sys.stderr)
        return _INTERRUPTED


def _print_json(values: Any) -> None:
    print(json.dumps(plain_values(values), indent=1))


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
    if options.json:
        _print_json(report.to_dict())
    else:
        print(report)
    return OK if report.ok else FAILED


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
        _print_json(comparison.to_dict())
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
    if options.json:
        _print_json(audit.to_dict())
    else:
        print(audit)
    return OK if audit.ok else FAILED


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
        _print_json({"path": str(made.path), "size": made.size, "manifest": made.manifest})
    else:
        print(made)
    return OK


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
            _print_json(summary.values_of(volume))
        else:
            print(summary.text_of(volume))
        if out is not None:
            summary.write_volume(volume, out)
        return FAILED if volume.errors else OK


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
        _print_json(written.to_dict())
    else:
        print(written)
    return OK if written.ok else FAILED


def _demo(options: argparse.Namespace) -> int:
    from spinekit.demo import write_demo  # noqa: PLC0415 - slow to import, and used here alone

    page = write_demo(options.out, options.folder, workers=options.workers)
    if options.json:
        _print_json({"page": str(page.path), "ok": page.ok, "problems": page.problems})
    else:
        print(page)
    return OK if page.ok else FAILED


def _info(options: argparse.Namespace) -> int:
    found = sk.info()
    if options.json:
        _print_json(found)
        return OK
    print(f"spinekit {found['spinekit']}")
    for name, version in found["libraries"].items():
        print(f"  {name:<10} {version}")
    print(f"  {'Python':<10} {found['python']}")
    print(f"  {'NumPy':<10} {found['numpy']}")
    print(f"  {'platform':<10} {found['platform']}, {found['workers']} workers")
    for direction in ("read", "write"):
        print(f"{direction}s: " + "; ".join(found["codecs"][direction]))
    print("not yet: " + "; ".join(found["not_yet"]))
    return OK
