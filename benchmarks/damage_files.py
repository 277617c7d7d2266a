"""From files of very large scans to SVG: ``python benchmarks/damage_files.py [--folder F] [--json PATH]``.

Scans of 18,868 x 14,151 pixels as uncompressed, LZW and deflate TIFF, PNG and JPEG, and one of a gigapixel,
are made once in the folder (5 GB), then searched by ``spinekit damage``, each in a process of its own:
seconds from its start to its end, and the resident memory that the system saw it take at most, as GNU time
tells it. Also whether the pieces are the same for every form without loss, number of workers and memory
limit. Writes results/damage_files.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

import spinekit as sk

RESULTS = Path(__file__).parent / "results"
ROWS, COLUMNS = 14_151, 18_868
#: A gigapixel and some; the same proportions.
LARGE = 27_400, 36_533
BAND = 512
MARGIN = 300
BACKGROUND = [(20, 20, 200, 200)]
FOREGROUND = [(1_200, 700, 900, 200), (9_000, 700, 400, 500), (3_000, 2_100, 300, 300)]

TIFFS: dict[str, dict[str, Any]] = {
    "uncompressed TIFF": {},
    "LZW TIFF": {"compression": "lzw", "rowsperstrip": 64},
    "LZW TIFF with differences, tiles": {"compression": "lzw", "predictor": True, "tile": (256, 256)},
    "deflate TIFF": {"compression": "deflate", "rowsperstrip": 64},
}


def bands(rows: int, columns: int) -> Iterator[NDArray[np.uint8]]:
    """Yield yellowed paper on white, with fibres, stains, and holes of many sizes and shapes."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 3.5, (BAND + 64, columns + 64)).astype(np.float32)
    count = rows * columns // 120_000
    centres = rng.uniform((MARGIN, MARGIN), (rows - MARGIN, columns - MARGIN), (count, 2))
    radii = np.minimum(rng.pareto(1.3, count) * 6 + 3, 260)
    lobes = rng.integers(2, 9, count)
    x = np.arange(columns)
    shade = 12 * np.sin(x / columns * 3)
    for top in range(0, rows, BAND):
        y = np.arange(top, min(top + BAND, rows))
        dy, dx = rng.integers(0, 64, 2)
        noise = grain[dy : dy + len(y), dx : dx + columns]
        fibres = 5 * np.sin(x / 37)[None] * np.sin(y / 53)[:, None]
        base = shade[None] + fibres + noise
        band = np.empty((len(y), columns, 3), np.uint8)
        for channel, level in enumerate((201, 178, 132)):
            band[..., channel] = np.clip(base + level, 0, 255)
        white = np.zeros(band.shape[:2], bool)
        white[(y < MARGIN) | (y >= rows - MARGIN)] = True
        white[:, :MARGIN] = white[:, -MARGIN:] = True
        for (cy, cx), radius, lobe in zip(centres, radii, lobes, strict=True):
            reach = int(1.4 * radius) + 1
            first, last = max(int(cy) - reach - top, 0), min(int(cy) + reach - top, len(y))
            if first >= last:
                continue
            left, right = max(int(cx) - reach, 0), min(int(cx) + reach, columns)
            v, u = np.mgrid[first + top : last + top, left:right] - np.array([cy, cx])[:, None, None]
            edge = radius * (1 + 0.3 * np.sin(lobe * np.arctan2(v, u)))
            white[first:last, left:right] |= v * v + u * u < edge * edge
        band[white] = np.clip(noise[white][:, None] * 0.6 + 250, 0, 255)
        yield band


def write_scans(folder: Path) -> dict[str, Path]:
    """Return the scans of a folder, which are made if they are not there."""
    paths = {name: folder / f"{name.replace(' ', '-').replace(',', '')}.tif" for name in TIFFS}
    paths |= {"PNG": folder / "scan.png", "JPEG": folder / "scan.jpg"}
    if not all(path.exists() for path in paths.values()):
        scan = np.concatenate(list(bands(ROWS, COLUMNS)))
        for name, options in TIFFS.items():
            tifffile.imwrite(paths[name], scan, photometric="rgb", metadata=None, **options)
        Image.MAX_IMAGE_PIXELS = None
        Image.fromarray(scan).save(paths["PNG"], compress_level=6)
        Image.fromarray(scan).save(paths["JPEG"], quality=92)
    large = folder / "gigapixel.tif"
    if not large.exists():
        pixels = tifffile.memmap(large, shape=(*LARGE, 3), dtype=np.uint8, photometric="rgb", metadata=None)
        top = 0
        for band in bands(*LARGE):
            pixels[top : top + len(band)] = band
            top += len(band)
        pixels.flush()
    return paths | {"uncompressed TIFF of a gigapixel": large}


#: A process that begins has the peak of the one that began it; this one is small.
LAUNCHER = """
import json, os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - started
cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6
print(json.dumps({"status": status, "seconds": seconds, "cpu": cpu, "megabytes": peak}))
"""


def measured(command: list[str]) -> dict[str, float]:
    """Return what a process took, as its parent sees it."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCHER, *command], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    if found.pop("status"):
        raise SystemExit(f"{' '.join(command)} failed")
    return found


def searched(scan: Path, model: Path, rounds: int, *options: str) -> dict[str, Any]:
    runs = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, "-m", "spinekit", "damage", str(scan), "--model", str(model)]
            runs.append(
                measured([*command, "--out", out, "--formats", "svg", "json", "--no-progress", *options])
            )
            found = json.loads(next(Path(out).rglob("pieces.json")).read_text())
    return {
        "seconds": statistics.median(run["seconds"] for run in runs),
        "least": min(run["seconds"] for run in runs),
        "most": max(run["seconds"] for run in runs),
        "cpu": statistics.median(run["cpu"] for run in runs),
        "peak_megabytes": max(run["megabytes"] for run in runs),
        "pieces": found["pieces"],
        "boundary": found["boundary"],
    }


def main() -> None:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "spinekit-scans")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS / "damage_files.json")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    scans = write_scans(options.folder)
    model = options.folder / "model.json"
    first = scans["uncompressed TIFF"]
    sk.ColorModel.fit(first, background=BACKGROUND, foreground=FOREGROUND).save(model)
    load = os.getloadavg()[0]
    runs: dict[str, Any] = {}
    for name, path in scans.items():
        for boundary in ("none", "brightness") if name != "JPEG" else ("none",):
            runs[f"{name}, {boundary}"] = searched(path, model, options.rounds, "--boundary", boundary)
    expected = runs["uncompressed TIFF, none"]["pieces"]
    lossless = {name: run for name, run in runs.items() if "JPEG" not in name and "gigapixel" not in name}
    same = all(run["pieces"] == expected for name, run in lossless.items() if name.endswith("none"))
    for more in (["--workers", "1"], ["--memory-limit", "64 MB"], ["--workers", "7"]):
        same = same and searched(first, model, 1, *more)["pieces"] == expected
    found = {
        "machine": f"{len(os.sched_getaffinity(0))} cores",
        "load_average": load,
        "scan": f"{COLUMNS} x {ROWS}",
        "large": f"{LARGE[1]} x {LARGE[0]}",
        "same pieces": same,
        "rounds": options.rounds,
        "runs": {
            name: {
                **run,
                "pieces": len(run["pieces"]),
                "file_megabytes": scans[name.rpartition(",")[0]].stat().st_size / 1e6,
            }
            for name, run in runs.items()
        },
    }
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    for name, run in found["runs"].items():
        print(f"{name}: {run['seconds']:.2f} s, {run['peak_megabytes']:.0f} MB, {run['pieces']} pieces")
    print(f"the same pieces however they are read: {same}")


if __name__ == "__main__":
    main()
