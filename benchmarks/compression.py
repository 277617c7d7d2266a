"""Speed of compression, file to file, beside its peers, in turn within one run.

    python benchmarks/compression.py [FOLDER_OR_ZIP] [--rounds 5] [--files 90]

Without a source it takes the LIDC series of the shared data. Writes results/compression.json; the
table in README is made from it by `python benchmarks/readme.py`. Peers:

- pydicom: ``dcmread``, ``compress(JPEG2000Lossless)`` with pylibjpeg-openjpeg, ``save_as``; one thread
  (its encoder crashes when two threads call it), and two processes
- gdcmconv: one process a file as its users run it, one after the other, and two at a time

Needs the `test` extra and Debian's libgdcm-tools.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import JPEG2000Lossless

import spinekit as sk
from spinekit import _core

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ROOT.parent / "shared" / "data" / "ct_lidc0314_lower90" / "ct_lidc0314_lower90.zip"


def unpack(source: Path, folder: Path, count: int) -> list[Path]:
    if source.suffix == ".zip":
        with zipfile.ZipFile(source) as archive:
            archive.extractall(folder)
    else:
        shutil.copytree(source, folder, dirs_exist_ok=True)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    for extra in files[count:]:
        extra.unlink()
    return files[:count]


def by_pydicom(source: Path, target: Path) -> None:
    ds = pydicom.dcmread(source)
    ds.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    ds.save_as(target)


def by_gdcmconv(source: Path, target: Path) -> None:
    subprocess.run(["gdcmconv", "--j2k", source, target], check=True, capture_output=True)


def in_turn(work: Callable[[Path, Path], None], files: list[Path], out: Path) -> None:
    for file in files:
        work(file, out / file.name)


def in_two_processes(work: Callable[[Path, Path], None], files: list[Path], out: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        pool.starmap(work, [(file, out / file.name) for file in files], chunksize=4)


def in_two_threads(work: Callable[[Path, Path], None], files: list[Path], out: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(work, files, [out / file.name for file in files]))


def plain_97(source: Path, target: Path) -> None:
    """Plain 9/7 at 10 : 1 of the pixel data: read, encode once, write; no exactness, no DICOM edits."""
    pixels = sk.read_pixels(source, workers=1)
    target.write_bytes(_core.encode_j2k(pixels, 12, reversible=False, target_bytes=pixels.nbytes // 10))


def contenders(folder: Path, files: list[Path]) -> dict[str, Callable[[Path], object]]:
    def ours(workers: int, **how: object) -> Callable[[Path], object]:
        return lambda out: sk.compress(folder, out, workers=workers, progress=False, **how)

    return {
        "spinekit lossless, 2 workers, verify off": ours(2, mode="lossless", verify=False),
        "spinekit lossless, 2 workers, verify on": ours(2, mode="lossless"),
        "spinekit lossless, 1 worker, verify off": ours(1, mode="lossless", verify=False),
        "spinekit ratio 10, 2 workers, verify off": ours(2, ratio=10.0, verify=False),
        "spinekit ratio 10, 2 workers, verify on": ours(2, ratio=10.0),
        "plain 9/7 at 10:1, 2 threads": lambda out: in_two_threads(plain_97, files, out),
        "pydicom + pylibjpeg-openjpeg lossless, 1 thread": lambda out: in_turn(by_pydicom, files, out),
        "pydicom + pylibjpeg-openjpeg lossless, 2 processes": lambda out: in_two_processes(
            by_pydicom, files, out
        ),
        "gdcmconv lossless, one at a time": lambda out: in_turn(by_gdcmconv, files, out),
        "gdcmconv lossless, two at a time": lambda out: in_two_threads(by_gdcmconv, files, out),
    }


def measure_speed(folder: Path, files: list[Path], rounds: int) -> dict[str, dict[str, object]]:
    times: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    for turn in range(rounds + 1):  # the first warms up
        for name, work in contenders(folder, files).items():
            out = Path(tempfile.mkdtemp())
            started = time.perf_counter()
            work(out)
            seconds = time.perf_counter() - started
            sizes[name] = sum(p.stat().st_size for p in out.iterdir() if p.name != "spinekit-report.jsonl")
            shutil.rmtree(out)
            if turn:
                times.setdefault(name, []).append(seconds)
                print(f"round {turn}: {name}: {1000 * seconds / len(files):.1f} ms a file", file=sys.stderr)
    source = sum(p.stat().st_size for p in files)
    return {
        name: {
            "ms_a_file": 1000 * statistics.median(found) / len(files),
            "ms_a_file_min": 1000 * min(found) / len(files),
            "ms_a_file_max": 1000 * max(found) / len(files),
            "megabytes_a_second": source / 1e6 / statistics.median(found),
            "file_ratio": source / sizes[name],
        }
        for name, found in times.items()
    }


def measure_ssim(files: list[Path]) -> dict[str, float]:
    from skimage.metrics import structural_similarity  # noqa: PLC0415 - slow to import

    a = sk.read_pixels(files[0])
    b = np.clip(a.astype(int) + np.random.default_rng(0).integers(-9, 9, a.shape), 0, 4095).astype(a.dtype)

    def median_ms(work: Callable[[], float], repeats: int) -> float:
        found = []
        for _ in range(repeats + 1):
            started = time.perf_counter()
            work()
            found.append(1000 * (time.perf_counter() - started))
        return statistics.median(found[1:])

    def theirs() -> float:
        return float(
            structural_similarity(
                a, b, data_range=4095, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
            )
        )

    def ours() -> float:
        return _core.structural_similarity(a, b, 4095.0)

    return {
        "spinekit_ms": median_ms(ours, 50),
        "scikit_image_ms": median_ms(theirs, 5),
        "difference": abs(ours() - theirs()),
        "rows": a.shape[0],
        "columns": a.shape[1],
    }


def measure_bypass(files: list[Path]) -> dict[str, dict[str, float]]:
    """Code with and without the bypass: one thread, every third file, 5/3, and 9/7 at 10 : 1."""
    pictures = [sk.read_pixels(file) for file in files[::3]]
    found = {}
    for name, how in {
        "lossless": {},
        "10:1": {"reversible": False, "target_bytes": pictures[0].nbytes // 10},
    }.items():
        for bypass in (True, False):
            started = time.perf_counter()
            codestreams = [_core.encode_j2k(p, 12, bypass=bypass, **how) for p in pictures]
            seconds = time.perf_counter() - started
            found[f"{name}, bypass {'on' if bypass else 'off'}"] = {
                "ms_a_frame": 1000 * seconds / len(pictures),
                "bytes_a_frame": sum(map(len, codestreams)) / len(pictures),
            }
    return found


def measure_import() -> float:
    code = "import time; t = time.perf_counter(); import spinekit; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(6)]
    return statistics.median(float(run.stdout) for run in runs[1:])


def peak_megabytes(files: list[Path], count: int) -> float:
    """Peak resident memory of a process that compresses `count` files (the series, repeated)."""
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder, "in")
        many.mkdir()
        for k in range(count):
            os.link(files[k % len(files)], many / f"{k:05d}.dcm")
        code = (
            "import resource, spinekit as sk;"
            f"sk.compress({str(many)!r}, {folder + '/out'!r}, mode='lossless', workers=2);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return int(run.stdout) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=90)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "compression.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "series")
        files = unpack(options.source, folder, options.files)
        speed = measure_speed(folder, files, options.rounds)
        found = {
            "series": options.source.stem,
            "files": len(files),
            "rounds": options.rounds,
            "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
            "versions": sk.info()["libraries"] | {"spinekit": sk.__version__, "pydicom": pydicom.__version__},
            "speed": speed,
            "bypass": measure_bypass(files),
            "ssim": measure_ssim(files),
            "import_seconds": measure_import(),
            "peak_megabytes": {str(n): peak_megabytes(files, n) for n in (30, 90, 900)},
        }
    ms = {name: values["ms_a_file"] for name, values in speed.items()}
    off = ms["spinekit lossless, 2 workers, verify off"]
    on = ms["spinekit lossless, 2 workers, verify on"]
    found["ratios"] = {
        "verify off, times as fast as pydicom (1 thread)": ms[
            "pydicom + pylibjpeg-openjpeg lossless, 1 thread"
        ]
        / off,
        "verify off, times as fast as gdcmconv": ms["gdcmconv lossless, one at a time"] / off,
        "verify on, times as fast as pydicom (1 thread)": ms[
            "pydicom + pylibjpeg-openjpeg lossless, 1 thread"
        ]
        / on,
        "verify on, times as fast as gdcmconv": ms["gdcmconv lossless, one at a time"] / on,
        "ratio mode / plain 9/7, time": ms["spinekit ratio 10, 2 workers, verify off"]
        / ms["plain 9/7 at 10:1, 2 threads"],
        "1 worker / 2 workers, time": ms["spinekit lossless, 1 worker, verify off"] / off,
    }
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found["ratios"], indent=1))
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
