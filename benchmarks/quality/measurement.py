"""How well `sk.measure` finds what is true of phantoms.

    python benchmarks/quality/measurement.py [--count 300] [--degraded-rows 768] [--json PATH]

Writes ../results/measurement.json. Truth is what the phantom's geometry says of its key points on the
film (`Spine.landmarks`), never what measuring found. Populations: "plain" is without osteophytes,
rotation and scoliosis; "full" has all of it. Every other film looks to the right. Constants were set on
phantoms of seeds below 3,000; these begin at 10,000.

- exact: silhouettes as the phantom covers pixels
- degraded: `sk.phantom.degrade` of the full population, Dice 0.93 for every bone
- unusual: what degraded masks of spines far from the usual give on average: known angles of usual spines
  help where a border is poor, and must not hide what is unusual
- tilt: the film turned by +-15 and +-7 degrees, against itself untilted; mirror: the film mirrored
- time: eight masks of 2000 x 2000, intervals included, median of 15
"""

import argparse
import dataclasses
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import spinekit as sk
from spinekit.phantom import Person, Spine, View

ANGLES = ("pt", "ss", "pi", "ll")
PLACES = ("anterior", "middle", "posterior")
#: What does not change when the film is turned.
STEADY = ("pi", "ll", "pi_minus_ll", "l1pa", "l4_s1", "segmental.L1-L2", "segmental.L4-L5", "segmental.L5-S1")
DEFAULT = Path(__file__).parents[1] / "results" / "measurement.json"

Masks = NDArray[np.float32]
Pair = tuple[sk.Measurement, sk.Measurement]


def spine_of(seed: int, *, plain: bool) -> Spine:
    if plain:
        return Spine.random(seed, osteophytes=False, rotation=False)
    return Spine.random(seed)


def view_of(spine: Spine, seed: int, rows: int, tilt: float = 0.0) -> View:
    return spine.view(rows, facing="right" if seed % 2 else "left", tilt=tilt)


def measured(
    seeds: Sequence[int],
    rows: int,
    *,
    plain: bool = False,
    change: Callable[[Masks, int], Masks] | None = None,
    methods: Sequence[str] = ("robust",),
) -> dict[str, list[Pair]]:
    """Return what each method found, and the truth, film by film."""
    found: dict[str, list[Pair]] = {method: [] for method in methods}
    for seed in seeds:
        spine = spine_of(seed, plain=plain)
        view = view_of(spine, seed, rows)
        masks = spine.masks(view)
        if change is not None:
            masks = change(masks, seed)
        truth = sk.measure_points(spine.landmarks(view), view.spacing)
        for method in methods:
            found[method].append((sk.measure(masks, view.spacing, method=method), truth))
    return found


def summary(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return errors by parameter: what a table shows."""
    table: dict[str, Any] = {"films": len(pairs)}
    rated = sk.agreement(
        [{name: par.values[name] for name in ANGLES} for par, _ in pairs],
        [{name: truth.values[name] for name in ANGLES} for _, truth in pairs],
        parameters=ANGLES,
    )
    for name in ANGLES:
        errors = np.array([par.values[name] - truth.values[name] for par, truth in pairs])
        known = errors[~np.isnan(errors)]
        entry = {
            "mae": np.abs(known).mean(),
            "sd": known.std(),
            "bias": known.mean(),
            "p95": np.percentile(np.abs(known), 95),
            "largest": np.abs(known).max(),
            "completion": len(known) / len(errors),
            "icc_2_1": rated[name].icc_2_1.value,
        }
        spans = [(par.intervals[name], truth.values[name]) for par, truth in pairs if name in par.intervals]
        if spans:
            entry["coverage"] = np.mean([low <= value <= high for (low, high), value in spans])
            entry["half_width"] = np.mean([(high - low) / 2 for (low, high), _ in spans])
        table[name] = entry
    discs = np.array(
        [
            par.disc_heights[level][place] - truth.disc_heights[level][place]
            for par, truth in pairs
            for level in truth.disc_heights
            for place in PLACES
        ]
    )
    discs = discs[~np.isnan(discs)]
    table["disc_heights_mm"] = {"mae": np.abs(discs).mean(), "p95": np.percentile(np.abs(discs), 95)}
    return table


def degraded(seeds: Sequence[int], rows: int) -> dict[str, Any]:
    pairs = measured(
        seeds,
        rows,
        change=lambda masks, seed: sk.phantom.degrade(masks, 0.93, seed=seed),
        methods=("robust", "report"),
    )
    # The report knows one direction: it gets the films that look to the left.
    left = [pair for seed, pair in zip(seeds, pairs["report"], strict=True) if seed % 2 == 0]
    return {"rows": rows, "robust": summary(pairs["robust"]), "report, facing left": summary(left)}


def tilted(seeds: Sequence[int], rows: int) -> dict[str, Any]:
    changes, mirrored = [], []
    for seed in seeds:
        spine = spine_of(seed, plain=False)
        view = view_of(spine, seed, rows)
        masks = spine.masks(view)
        plain = sk.measure(masks, view.spacing)
        other = sk.measure(np.ascontiguousarray(masks[:, :, ::-1]), view.spacing)
        mirrored.append(max(abs(other.values[name] - plain.values[name]) for name in ANGLES))
        for tilt in (-15.0, -7.0, 7.0, 15.0):
            turned = view_of(spine, seed, rows, tilt)
            par = sk.measure(spine.masks(turned), turned.spacing, intervals=False)
            changes.append([abs(par.values[name] - plain.values[name]) for name in STEADY])
    found = np.array(changes)
    return {
        "films": len(seeds),
        "mean": float(np.nanmean(found)),
        "p99": float(np.nanpercentile(found, 99)),
        "by_parameter": {
            name: {"mean": float(np.nanmean(column)), "p99": float(np.nanpercentile(column, 99))}
            for name, column in zip(STEADY, found.T, strict=True)
        },
        "largest_change_by_mirroring": max(mirrored),
    }


def unusual(count: int, rows: int) -> dict[str, Any]:
    """Return mean and spread of what is wrong with three spines' degraded masks."""
    plain = Person()
    broken = plain.body_wedges.copy()
    broken[0] = -22.0
    flat = np.array([-2.0, -1.0, 0.0, 1.0, 3.0])
    cases = {
        "usual": plain,
        "L1 broken to a wedge of 22 degrees": dataclasses.replace(plain, body_wedges=broken, ll=40.0),
        "flat: SS 15, LL 8": dataclasses.replace(plain, pt=25.0, ss=15.0, ll=8.0, body_wedges=flat),
        "steep: SS 62, LL 88": dataclasses.replace(plain, pt=5.0, ss=62.0, ll=88.0),
    }
    found = {}
    for title, person in cases.items():
        spine = Spine(person, seed=3)
        view = spine.view(rows)
        masks = spine.masks(view)
        truth = sk.measure_points(spine.landmarks(view), view.spacing)
        rows_of: list[list[float]] = []
        for seed in range(count):
            par = sk.measure(sk.phantom.degrade(masks, 0.93, seed=seed), view.spacing, intervals=False)
            wedge = par.angle("L1 inferior", "L1") - truth.angle("L1 inferior", "L1")
            rows_of.append([par.ss - truth.ss, par.ll - truth.ll, wedge])
        errors = np.array(rows_of)
        found[title] = {
            name: {"bias": float(np.nanmean(column)), "sd": float(np.nanstd(column))}
            for name, column in zip(("ss", "ll", "L1 wedge"), errors.T, strict=True)
        }
    return {"masks": count, "cases": found}


def timed() -> dict[str, Any]:
    spine = Spine.random(7)
    masks = spine.masks(spine.view(2000, 2000))
    spacing = spine.view(2000, 2000).spacing
    found = {}
    for workers in (1, 2):
        times = []
        for _ in range(16):
            started = time.perf_counter()
            sk.measure(masks, spacing, workers=workers)
            times.append(1e3 * (time.perf_counter() - started))
        found[f"{workers} workers"] = {"median": statistics.median(times[1:]), "min": min(times[1:])}
    return found


def show(title: str, table: dict[str, Any]) -> None:
    print(f"\n{title}, {table['films']} films, disc heights {table['disc_heights_mm']['mae']:.3f} mm")
    for name in ANGLES:
        entry = table[name]
        coverage = f"{100 * entry['coverage']:5.1f} %" if "coverage" in entry else ""
        print(
            f"  {name:3s} MAE {entry['mae']:6.3f}  bias {entry['bias']:+.3f}  p95 {entry['p95']:6.2f}  "
            f"ICC(2,1) {entry['icc_2_1']:.4f}  completed {100 * entry['completion']:5.1f} %  {coverage}"
        )


def plain_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain_numbers(item) for key, item in value.items()}
    return round(float(value), 5) if isinstance(value, float | np.floating) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="phantoms in each table")
    parser.add_argument("--degraded-rows", type=int, default=768, help="rows of the degraded films")
    parser.add_argument("--json", type=Path, default=DEFAULT)
    parser.add_argument("--first", type=int, default=10_000, help="seed of the first one")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.count)
    result: dict[str, Any] = {
        "spinekit": sk.__version__,
        "machine": {"cores": len(os.sched_getaffinity(0)), "architecture": platform.machine()},
        "exact": {},
    }
    for rows in (1024, 256):
        for plain in (True, False):
            title = f"{rows} rows, {'plain' if plain else 'full'}"
            result["exact"][title] = summary(measured(seeds, rows, plain=plain)["robust"])
            show(f"exact masks, {title}", result["exact"][title])
    result["degraded"] = degraded(seeds, options.degraded_rows)
    for method in ("robust", "report, facing left"):
        show(f"degraded masks, {method}", result["degraded"][method])
    result["unusual"] = unusual(max(options.count // 6, 2), options.degraded_rows)
    for title, case in result["unusual"]["cases"].items():
        shown = ", ".join(f"{k} {v['bias']:+.2f} (SD {v['sd']:.2f})" for k, v in case.items())
        print(f"degraded, {title}: {shown}")
    result["tilt"] = tilted(seeds[: max(options.count // 5, 2)], 1024)
    print(f"\ntilt: mean {result['tilt']['mean']:.3f}, p99 {result['tilt']['p99']:.3f} degrees; ", end="")
    print(f"mirroring: {result['tilt']['largest_change_by_mirroring']:.1e}")
    result["milliseconds"] = timed()
    print("2000 x 2000:", result["milliseconds"])
    options.json.write_text(json.dumps(plain_numbers(result), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
