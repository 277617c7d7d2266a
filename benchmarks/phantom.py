"""How fast phantoms are taken: ``python benchmarks/phantom.py [--json PATH]``.

Films of 512 x 512 with all tissues, noise and processing. "same spine" takes films of one patient, "new
spines" also builds each. Writes results/phantom.json.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spinekit as sk
from spinekit import _core, _engine

RESULTS = Path(__file__).parent / "results"
WORKERS = 2


def rate(work: Callable[[int], object], count: int, *, threads: int, rounds: int) -> dict[str, float]:
    """Return how often `work` is done in a second, called with 0, 1, ... by so many threads."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(count)))
        found.append(count / (time.perf_counter() - started))
    return {"median": statistics.median(found), "min": min(found), "max": max(found)}


def measure(count: int, rounds: int) -> dict[str, Any]:
    spine = sk.phantom.Spine.random(seed=0)
    spine.radiograph(512, 512)
    view = spine.view(512, 512)
    layers = [layer for tissue in spine.tissues for layer in tissue.layers]
    meshes = [surface.engine for surface, _, _ in layers]
    weights = [inside.attenuation - outside.attenuation for _, inside, outside in layers]
    executor = _engine.executor(WORKERS)

    def ray_sums(_: int) -> None:
        _core.ray_sums(meshes, [0] * len(meshes), weights, 1, view.beam, executor)

    def same(seed: int) -> None:
        exposure = dataclasses.replace(sk.phantom.Exposure(), photons=3e5 + seed)
        spine.radiograph(512, 512, exposure=exposure, workers=1)

    def new(seed: int) -> None:
        sk.phantom.Spine.random(seed).radiograph(512, 512, workers=1)

    def masks(_: int) -> None:
        spine.masks(view, workers=1)

    return {
        "machine": f"{len(os.sched_getaffinity(0))} cores",
        "films": count,
        "rounds": rounds,
        "triangles": sum(len(surface.triangles) for surface, _, _ in layers),
        "ray sums, all tissues": rate(ray_sums, count, threads=1, rounds=rounds),
        "films, same spine": rate(same, count, threads=WORKERS, rounds=rounds),
        "films, new spines": rate(new, count, threads=WORKERS, rounds=rounds),
        "eight masks": rate(masks, count, threads=WORKERS, rounds=rounds),
    }


def main() -> None:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=RESULTS / "phantom.json")
    options = parser.parse_args()
    found = measure(options.count, options.rounds)
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    for name, value in found.items():
        shown = f"{value['median']:.1f} a second" if isinstance(value, dict) else value
        print(f"{name}: {shown}")


if __name__ == "__main__":
    main()
