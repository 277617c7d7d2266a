"""How fast very large scans are divided by colour: ``python benchmarks/damage.py [--json PATH]``.

A scan of 18,868 x 14,151 pixels, made here, in memory. Against the way it was done before, NumPy in float64
in chunks of 2,000,000 pixels, and against scikit-learn's QDA; in turn within one process, threads pinned.
Writes results/damage.json.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from threadpoolctl import threadpool_limits

import spinekit as sk

RESULTS = Path(__file__).parent / "results"
ROWS, COLUMNS = 14_151, 18_868
CHUNK = 2_000_000
WORKERS = 2
BACKGROUND = [(210, 210, 180, 180), (4_210, 1_210, 150, 150)]
FOREGROUND = [(700, 100, 900, 200), (9_000, 700, 400, 500), (3_000, 2_100, 300, 300)]

Work = Callable[[], Any]


def made_scan() -> NDArray[np.uint8]:
    """Return yellowed paper, darker to one side, with a hole of 200 x 200 pixels in each 1000 x 1000."""
    rng = np.random.default_rng(0)
    scan = np.empty((ROWS, COLUMNS, 3), np.uint8)
    shade = (np.arange(COLUMNS) * 40 // COLUMNS).astype(np.uint8)[:, None]
    paper = np.array([170, 146, 104], np.uint8) + (40 - shade)
    holes = (np.arange(COLUMNS) % 1000 - 200) % 1000 < 200
    for row in range(0, ROWS, 100):
        strip = scan[row : row + 100]
        grain = rng.integers(0, 24, strip.shape, np.uint8)
        np.add(paper, grain, out=strip)
        if row % 1000 in (200, 300):
            strip[:, holes] = 234 + grain[:, holes] // 2
    return scan


def features(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    row = rgb.reshape(1, -1, 3)
    saturation = cv2.cvtColor(row, cv2.COLOR_RGB2HSV)[..., 1:2]
    return np.concatenate([cv2.cvtColor(row, cv2.COLOR_RGB2LAB), saturation], axis=2)[0].astype(np.float64)


def box_features(scan: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.float64]:
    x, y, width, height = box
    return features(np.ascontiguousarray(scan[y : y + height, x : x + width]))


def in_chunks(scan: NDArray[np.uint8], decide: Work) -> NDArray[np.bool_]:
    pixels = scan.reshape(-1, 3)
    found = np.empty(len(pixels), bool)
    for start in range(0, len(pixels), CHUNK):
        found[start : start + CHUNK] = decide(features(pixels[start : start + CHUNK]))
    return found.reshape(scan.shape[:2])


def numpy_route(scan: NDArray[np.uint8]) -> NDArray[np.bool_]:
    def gaussian(box: tuple[int, int, int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
        x = box_features(scan, box)
        return x.mean(axis=0), np.linalg.inv(np.cov(x.T) + 1e-4 * np.eye(4))

    def least(x: NDArray[Any], gaussians: list[tuple[NDArray[Any], NDArray[Any]]]) -> NDArray[Any]:
        found = np.full(len(x), np.inf)
        for mean, inverse in gaussians:
            d = x - mean
            np.minimum(found, ((d @ inverse) * d).sum(axis=1), out=found)
        return found

    paper, holes = [gaussian(box) for box in FOREGROUND], [gaussian(box) for box in BACKGROUND]
    return in_chunks(scan, lambda x: least(x, paper) > least(x, holes))


def learned_route(scan: NDArray[np.uint8]) -> NDArray[np.bool_]:
    parts = [box_features(scan, box) for box in FOREGROUND + BACKGROUND]
    labels = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    model = QuadraticDiscriminantAnalysis().fit(np.concatenate(parts), labels)
    return in_chunks(scan, lambda x: model.predict(x) >= len(FOREGROUND))


def timed(work: Work, rounds: int) -> tuple[dict[str, float], Any]:
    """Return seconds of some rounds, least processor time beside them, and what the last one gave."""
    times, spent = [], []
    found = None
    for _ in range(rounds):
        found = None
        started, busy = time.perf_counter(), time.process_time()
        found = work()
        times.append(time.perf_counter() - started)
        spent.append(time.process_time() - busy)
    return {
        "median": statistics.median(times),
        "min": min(times),
        "max": max(times),
        "cpu": min(spent),
        "rounds": rounds,
    }, found


def classification(rounds: int, peer_rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    scan = made_scan()

    def fitted(**options: Any) -> sk.ColorModel:
        return sk.ColorModel.fit(scan, BACKGROUND, FOREGROUND, **options)

    tiny = scan[:1, :1]
    ours: dict[str, NDArray[Any]] = {}
    for rule in ("mahalanobis", "qda"):
        for workers in (1, WORKERS):
            model = fitted(rule=rule)
            plural = "" if workers == 1 else "s"
            name = f"spinekit, {rule}, {workers} thread{plural}"

            found[f"{name}, table"], _ = timed(
                lambda w=workers, r=rule: fitted(rule=r).classify(tiny, workers=w), 3
            )
            model.classify(tiny, workers=workers)
            found[name], mask = timed(lambda m=model, w=workers: m.classify(scan, workers=w), rounds)
            ours[rule] = mask
    with threadpool_limits(1):
        cv2.setNumThreads(1)
        found["NumPy in chunks, 1 thread"], mask = timed(lambda: numpy_route(scan), peer_rounds)
        found["pixels that NumPy decides otherwise"] = int((mask != ours["mahalanobis"]).sum())
        del mask
        found["scikit-learn QDA, 1 thread"], mask = timed(lambda: learned_route(scan), peer_rounds)
        found["pixels that scikit-learn decides otherwise"] = int((mask != ours["qda"]).sum())
        del mask
    wide = np.empty(scan.shape, np.uint16)
    np.multiply(scan, np.uint16(257), out=wide)
    wide += (scan[..., ::-1] * np.uint16(37)) % 257
    model = sk.ColorModel.fit(wide, BACKGROUND, FOREGROUND)
    for workers in (1, WORKERS):
        name = f"spinekit, 16 bits, {workers} thread{'' if workers == 1 else 's'}"
        found[name], _ = timed(lambda w=workers: model.classify(wide, workers=w), rounds)
    return found


def main() -> None:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, default=RESULTS / "damage.json")
    options = parser.parse_args()
    found = {
        "machine": f"{len(os.sched_getaffinity(0))} cores",
        "scan": f"{COLUMNS} x {ROWS} RGB, in memory",
        "versions": {"OpenCV": cv2.__version__, "NumPy": np.__version__, "scikit-learn": sklearn.__version__},
        "classification": classification(options.rounds, options.peer_rounds),
    }
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    for name, entry in found["classification"].items():
        print(
            f"{name}: "
            + (
                f"{entry['median']:.2f} s (processor {entry['cpu']:.2f} s)"
                if isinstance(entry, dict)
                else str(entry)
            )
        )


if __name__ == "__main__":
    main()
