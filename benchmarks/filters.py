"""How fast films are filtered and fitted: ``python benchmarks/filters.py [--json PATH]``.

Against OpenCV's wheel and NumPy, as one would write it with them; in turn within one process, threads
pinned. Writes results/filters.json.
"""

import argparse
import concurrent.futures
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import spinekit as sk
from spinekit.letterbox import Letterbox

RESULTS = Path(__file__).parent / "results"
WORKERS = 2
INPUT = 224
BATCH = 32
KERNEL = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float32)

Work = Callable[[], object]


def plain_pen(film: NDArray[Any]) -> NDArray[np.float32]:
    top = np.float32(np.iinfo(film.dtype).max)
    equaliser = cv2.createCLAHE(2.0, (8, 8))
    once = equaliser.apply(film)
    sharp = equaliser.apply(cv2.filter2D(film, -1, KERNEL))
    low, high = np.percentile(film, (2, 98))
    stretched = np.rint((np.clip(film, low, high) - low) / (high - low) * top).astype(film.dtype)
    versions = [film, once, equaliser.apply(once), sharp, equaliser.apply(sharp), stretched]
    return np.stack(versions).astype(np.float32) / top


def plain_unfit(maps: NDArray[np.float32], box: Letterbox) -> NDArray[np.float32]:
    rows, columns = box.fitted
    share = maps[:, box.top : box.top + rows, box.left : box.left + columns]
    size = box.film[::-1]
    large = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in share])
    return 1 / (1 + np.exp(-large))


def in_turn(works: dict[str, Work], rounds: int) -> dict[str, dict[str, float]]:
    """Return milliseconds of each work, done one after the other in every round."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for k in range(rounds + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            if k:
                found[name].append(1000 * (time.perf_counter() - started))
    return {
        name: {"median": statistics.median(times), "min": min(times), "max": max(times)}
        for name, times in found.items()
    }


def pinned(threads: int, work: Work) -> Work:
    """Return work before which OpenCV gets so many threads."""

    def done() -> object:
        cv2.setNumThreads(threads)
        return work()

    return done


def ensembles(film: NDArray[np.uint16], rounds: int) -> dict[str, Any]:
    found = {}
    for rows in (INPUT, 2000):
        for bits in (8, 16):
            top = 2**bits - 1
            sized = cv2.resize(film, (rows, rows)).astype(np.float64) / film.max() * top
            levels = sized.astype(f"uint{bits}")
            assert np.array_equal(sk.filters.pen(levels), plain_pen(levels))
            works = {
                "spinekit, 1 thread": lambda levels=levels: sk.filters.pen(levels),
                "OpenCV and NumPy, 1 thread": pinned(1, lambda levels=levels: plain_pen(levels)),
            }
            found[f"{rows} x {rows}, {bits} bits"] = in_turn(works, rounds)
    films = [cv2.resize(film, (INPUT, INPUT)).astype(np.uint8)] * BATCH

    def plain_batch() -> object:
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(plain_pen, films))

    works = {
        f"spinekit, {WORKERS} threads": lambda: sk.filters.pen_batch(films, workers=WORKERS),
        f"OpenCV and NumPy, {WORKERS} threads": pinned(1, plain_batch),
    }
    found[f"{BATCH} films, {INPUT} x {INPUT}, 8 bits"] = in_turn(works, rounds)
    return found


def letterboxes(film: NDArray[np.uint16], rounds: int) -> tuple[dict[str, Any], float]:
    large = cv2.resize(film, (2000, 2000))
    box = Letterbox((2000, 2000), (INPUT, INPUT))
    maps = np.random.default_rng(0).normal(0, 5, (8, INPUT, INPUT)).astype(np.float32)
    size = (INPUT, INPUT)
    error = float(np.abs(box.unfit(maps, logits=True) - plain_unfit(maps, box)).max())
    fits: dict[str, Work] = {
        "spinekit, 1 thread": lambda: box.fit(large, workers=1),
        "OpenCV and NumPy, 1 thread": pinned(
            1, lambda: cv2.resize(large, size, interpolation=cv2.INTER_AREA)
        ),
    }
    unfits: dict[str, Work] = {
        "spinekit, 1 thread": lambda: box.unfit(maps, logits=True, workers=1),
        f"spinekit, {WORKERS} threads": lambda: box.unfit(maps, logits=True, workers=WORKERS),
        f"OpenCV and NumPy, {WORKERS} threads": pinned(WORKERS, lambda: plain_unfit(maps, box)),
    }
    return {
        "2000 x 2000 of 16 bits to 224 x 224": in_turn(fits, rounds),
        "8 maps of 224 x 224 to 2000 x 2000, logistic": in_turn(unfits, rounds),
    }, error


def main() -> None:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, default=RESULTS / "filters.json")
    options = parser.parse_args()
    film = sk.phantom.Spine.random(seed=7).radiograph(rows=1024).pixels
    ensemble = ensembles(film, options.rounds)
    letterbox, error = letterboxes(film, options.rounds)
    found = {
        "machine": f"{len(os.sched_getaffinity(0))} cores",
        "rounds": options.rounds,
        "versions": {"OpenCV": cv2.__version__, "NumPy": np.__version__},
        "ensemble": ensemble,
        "letterbox": letterbox,
        "largest difference of maps": error,
    }
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    for case, entry in (ensemble | letterbox).items():
        print(f"{case}: " + ", ".join(f"{name} {times['median']:.1f} ms" for name, times in entry.items()))


if __name__ == "__main__":
    main()
