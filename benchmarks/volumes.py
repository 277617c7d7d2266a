"""Speed and memory of volumes that fill themselves, beside their peers, in turn within one run.

    python benchmarks/volumes.py [--quick] [--json PATH] [--only local,multiframe,network,churn]

Writes results/volumes.json; the table in README is made from it by `python benchmarks/readme.py`.
It loads the LIDC series of the shared data, repeated to 300 slices, else a synthetic body. Peers:

- SimpleITK: ``ImageSeriesReader`` with GDCM's series file names, from the unpacked folder; its own
  choice of threads
- pydicom: ``dcmread`` and ``pixel_array`` of each file of the unpacked folder, sorted by position,
  rescaled into one int16 array; one thread

Needs the `test` extra.
"""

import argparse
import dataclasses
import gc
import json
import math
import os
import platform
import random
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813

import spinekit as sk
import volume_sources as sources
from slow_server import serving
from volume_loads import FRAMES, SERIES, WORKERS, alone
from volume_sources import say

DATA = Path(os.environ.get("SPINEKIT_TEST_DATA", sources.ROOT.parent / "shared" / "data"))
REAL = DATA / "ct_lidc0314_lower90" / "ct_lidc0314_lower90.zip"

#: For each kind of file: what ZIP packs it with, and the folder that peers read.
LOCAL = {
    "uncompressed, stored": ("stored", "raw"),
    "uncompressed, deflated": ("deflated", "raw"),
    "J2K lossless": ("j2k", "j2k"),
    "JPEG-LS lossless": ("jpegls", "jpegls"),
    "HTJ2K lossless": ("htj2k", "htj2k"),
}

#: Kinds of multiframe files: the folder that their frames come from, and their offset table.
MULTIFRAME = {
    "J2K, Basic Offset Table": ("j2k", "j2k", "basic"),
    "JPEG-LS, Extended Offset Table": ("jpegls", "jpegls", "extended"),
    "RLE, no offset table": ("raw", "rle", "none"),
    "uncompressed": ("raw", "uncompressed", "native"),
}

BITS_A_SECOND = 20e6


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    slices: int = 300
    rounds: int = 5
    cold_rounds: int = 3
    multiframe_bytes: int = 2_000_000_000
    network_slices: int = 90
    network_rounds: int = 3
    churn_slices: int = 60
    churn: int = 1000


QUICK = Sizes(
    slices=60,
    rounds=1,
    cold_rounds=1,
    multiframe_bytes=64_000_000,
    network_slices=20,
    network_rounds=1,
    churn_slices=20,
    churn=100,
)


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


# ---- local ZIPs


def floor(archive: Path) -> float:
    """Seconds in which zipfile and NumPy bring all pixels into an array, nothing being looked at."""
    started = time.perf_counter()
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        array = np.full((len(names), 512, 512), -1000, np.int16)
        for k, name in enumerate(names):
            pixels = np.frombuffer(opened.read(name)[-512 * 512 * 2 :], "<u2")
            array[k] = pixels.reshape(512, 512)
    return time.perf_counter() - started


def measure_local(folder: Path, sizes: Sizes) -> dict[str, Any]:
    def source(kind: str, library: str) -> str:
        packed, unpacked = LOCAL[kind]
        return str(folder / (f"{packed}.zip" if library == "spinekit" else unpacked))

    contenders = [
        (kind, library)
        for kind in LOCAL
        for library in SERIES
        if library == "spinekit" or kind != "uncompressed, deflated"  # the same folder as for stored
    ]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    times: dict[tuple[str, str], dict[str, list[float]]] = {c: {} for c in contenders}
    expected: np.ndarray | None = None
    floors: dict[str, list[float]] = {}
    for turn in range(sizes.rounds + 1):  # the first warms up
        for kind, library in contenders[:: 1 if turn % 2 == 0 else -1]:
            gc.collect()
            started = time.process_time()
            load = SERIES[library](source(kind, library))
            busy = time.process_time() - started
            if turn == 0:
                expected = load.array if expected is None else expected
                found[kind, library] = {
                    "identical": bool(np.array_equal(load.array, expected)),
                    "dtype": load.array.dtype.name,
                }
                continue
            expected = None
            took = times[kind, library]
            took.setdefault("last", []).append(load.last)
            took.setdefault("cpu", []).append(busy)
            if load.first is not None:
                took.setdefault("first", []).append(load.first)
            first = "" if load.first is None else f"first slice {1000 * load.first:.0f} ms, "
            say(f"local, round {turn}: {kind}, {library}: {first}all {load.last:.2f} s")
            del load
        for kind in ("stored", "deflated"):
            seconds = floor(folder / f"{kind}.zip")
            if turn:
                floors.setdefault(kind, []).append(seconds)
    cold: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for turn in range(sizes.cold_rounds):
        for kind, library in contenders:
            result = alone("series", library, source(kind, library))
            cold.setdefault((kind, library), []).append(result)
            say(f"local, fresh process {turn + 1}: {kind}, {library}: {result}")
    for contender in contenders:
        found[contender] |= {key: spread(values) for key, values in times[contender].items()}
        found[contender]["fresh"] = in_fresh_processes(cold[contender])
    return {
        "kinds": {
            kind: {library: found[kind, library] for k, library in contenders if k == kind}
            | {"bytes": Path(source(kind, "spinekit")).stat().st_size}
            for kind in LOCAL
        },
        "floors": {kind: spread(values) for kind, values in floors.items()},
    }


def in_fresh_processes(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the results of several fresh processes together."""
    for result in results:
        if "failed" in result:
            return {"failed": result["failed"]}
    keys = [k for k in ("first", "last", "opened") if results[0].get(k) is not None]
    found: dict[str, Any] = {key: spread([r[key] for r in results]) for key in keys}
    found["peak_mb"] = max(r["peak_mb"] for r in results)
    found["above_import_mb"] = max(r["peak_mb"] - r["base_mb"] for r in results)
    if "voxel_bytes" in results[0]:
        found["volume_mb"] = results[0]["voxel_bytes"] / 2**20
        found["beside_volume_mb"] = found["above_import_mb"] - found["volume_mb"]
    if "each" in results[0]:
        # The first one also finds out where the frames lie.
        found["first_read"] = spread([r["each"][0] for r in results])
        later = [seconds for r in results for seconds in r["each"][1:]]
        found["each"] = spread(later) if later else found["first_read"]
        found["frames_read"] = len(later) + len(results)
    return found


# ---- multiframe files


def measure_multiframe(folder: Path, sizes: Sizes) -> dict[str, Any]:
    #: How many frames each library is asked for: what reads all of the file for each, few.
    asked = {"spinekit": 100, "pydicom": 5, "SimpleITK": 1}
    found = {}
    for kind, (origin, coding, table) in MULTIFRAME.items():
        syntax, frames = sources.encoded_frames(folder / origin, 36, coding)
        path = folder / "multiframe.dcm"
        started = time.perf_counter()
        count = sources.write_multiframe(path, syntax, frames, sizes.multiframe_bytes, table)
        say(f"multiframe: {kind}: {count} frames written in {time.perf_counter() - started:.1f} s")
        entry: dict[str, Any] = {"frames": count, "bytes": path.stat().st_size}
        for library in FRAMES:
            if library == "SimpleITK" and count > 1000 and coding != "uncompressed":
                entry[library] = {"failed": "not tried: it decodes the whole file for one frame"}
                continue
            results = []
            for turn in range(sizes.cold_rounds if library == "spinekit" else 1):
                sources.forget(path)
                indices = random.Random(turn).sample(range(count), min(asked[library], count))
                results.append(alone("frames", library, str(path), *map(str, indices)))
            entry[library] = in_fresh_processes(results)
            say(f"multiframe: {kind}, {library}: {entry[library]}")
        path.unlink()
        found[kind] = entry
    return found


# ---- a slow link


def watch(file: Path, slices: int, *, ranges: bool) -> dict[str, dict[str, float]]:
    """Load a volume over the slow link; for each event seconds, bytes sent and requests by then."""
    events: dict[str, dict[str, float]] = {}
    coarse: set[int] = set()
    with serving(file, BITS_A_SECOND, ranges=ranges) as (url, link):
        started = time.perf_counter()

        def mark(event: str) -> None:
            if event not in events:
                seconds = time.perf_counter() - started
                events[event] = {"seconds": seconds, "bytes": link.sent, "requests": link.requests}

        def on_coarse(index: int, *_: int) -> None:
            mark("first coarse slice")
            coarse.add(index)
            if len(coarse) == slices:
                mark("all slices coarse")

        volume = sk.open_volume(
            url,
            workers=WORKERS,
            progress=False,
            on_frame=lambda _: mark("first frame"),
            on_slice_coarse=on_coarse,
            on_slice_processed=lambda *_: mark("first slice"),
        )
        complete = volume.wait()
        mark("all slices")
        if not complete or volume.errors or len(volume) != slices:
            raise RuntimeError(f"'{url}': {volume}: {volume.errors}")
    return events


def measure_network(folder: Path, sizes: Sizes) -> dict[str, Any]:
    part = folder / "part"
    for codec in ("j2k", "htj2k"):
        sources.copy_middle(folder / codec, part, sizes.network_slices)
        sk.bundle(part, folder / f"{codec}-bundle.zip", progress=False)
        if codec == "j2k":
            sources.write_zip(part, folder / "foreign.zip")
        sources.remove(part)
    with zipfile.ZipFile(folder / "j2k-bundle.zip") as archive:
        third = sorted(entry.header_offset for entry in archive.infolist())[2]
    cases = {
        "J2K bundle, stream": ("j2k-bundle.zip", False),
        "J2K bundle, ranges": ("j2k-bundle.zip", True),
        "HTJ2K bundle, ranges": ("htj2k-bundle.zip", True),
        "other ZIP, ranges": ("foreign.zip", True),
        "other ZIP, stream": ("foreign.zip", False),
    }
    runs: dict[str, list[dict[str, dict[str, float]]]] = {}
    for turn in range(sizes.network_rounds):
        for case, (name, ranges) in cases.items():
            events = watch(folder / name, sizes.network_slices, ranges=ranges)
            runs.setdefault(case, []).append(events)
            last = events["all slices"]
            say(f"network, round {turn + 1}: {case}: {last['seconds']:.1f} s, {last['bytes']} bytes")
    series_bytes = (folder / "j2k-bundle.zip").stat().st_size
    found: dict[str, Any] = {
        "bits_a_second": BITS_A_SECOND,
        "slices": sizes.network_slices,
        "rounds": sizes.network_rounds,
        "j2k_series_bytes": series_bytes,
        "manifest_and_one_slice_bytes": third,
        "cases": {
            case: {"bytes": (folder / cases[case][0]).stat().st_size}
            | {
                event: {key: spread([e[event][key] for e in events]) for key in events[0][event]}
                for event in events[0]
            }
            for case, events in runs.items()
        },
    }
    coarse = found["cases"]["HTJ2K bundle, ranges"].get("all slices coarse")
    if coarse:
        found["coarse_share_of_j2k_series"] = coarse["bytes"]["median"] / series_bytes
    return found


# ---- churn


def measure_churn(folder: Path, sizes: Sizes) -> dict[str, Any]:
    part = folder / "part"
    sources.copy_middle(folder / "j2k", part, sizes.churn_slices)
    sources.write_zip(part, folder / "churn.zip")
    sources.remove(part)
    result = alone("churn", "spinekit", str(folder / "churn.zip"), str(sizes.churn))
    say(f"churn: {result}")
    return {"slices": sizes.churn_slices} | result


def processor_seconds() -> tuple[float, float]:
    """Return the processor time that this machine has spent, and that of it which was ours."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    idle, waiting = int(fields[3]), int(fields[4])
    everything = sum(map(int, fields[:8])) - idle - waiting
    return everything / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])


def versions() -> dict[str, str]:
    return sk.info()["libraries"] | {
        "spinekit": sk.__version__,
        "pydicom": pydicom.__version__,
        "SimpleITK": sitk.Version_VersionString(),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts: dict[str, Callable[[Path, Sizes], dict[str, Any]]] = {
        "local": measure_local,
        "multiframe": measure_multiframe,
        "network": measure_network,
        "churn": measure_churn,
    }
    parser.add_argument("--quick", action="store_true", help="small sizes, one round; says if it runs")
    parser.add_argument("--rounds", type=int, help="fewer rounds, and fewer fresh processes")
    parser.add_argument("--only", default=",".join(parts), help="some of: %(default)s")
    parser.add_argument("--json", type=Path, help="default: results/volumes.json; with --quick none")
    options = parser.parse_args()
    sizes = QUICK if options.quick else Sizes()
    if options.rounds:
        least = {
            name: min(getattr(sizes, name), options.rounds) for name in ("cold_rounds", "network_rounds")
        }
        sizes = dataclasses.replace(sizes, rounds=options.rounds, **least)
    target = options.json
    if target is None and not options.quick and options.only == parser.get_default("only"):
        target = Path(__file__).parent / "results" / "volumes.json"
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="spinekit-benchmark-") as temporary:
        folder = Path(temporary)
        slices = sources.real_slices(REAL) if REAL.exists() else sources.synthetic_slices(90)
        sources.write_series(slices, folder / "raw", sizes.slices)
        distinct = len(slices)
        del slices
        for codec in ("j2k", "jpegls", "htj2k"):
            sources.compress(folder / "raw", folder / codec, codec)
            sources.write_zip(folder / codec, folder / f"{codec}.zip")
            say(f"{codec}: written")
        sources.write_zip(folder / "raw", folder / "stored.zip")
        sources.write_zip(folder / "raw", folder / "deflated.zip", zipfile.ZIP_DEFLATED)
        found: dict[str, Any] = {
            "series": REAL.stem if REAL.exists() else "synthetic body",
            "slices": sizes.slices,
            "distinct_slices": min(distinct, sizes.slices),
            "rounds": sizes.rounds,
            "workers": WORKERS,
            "quick": options.quick,
            "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
            "versions": versions(),
        }
        others: dict[str, float] = {}
        for name in options.only.split(","):
            started, (all_before, ours_before) = time.perf_counter(), processor_seconds()
            found[name] = parts[name](folder, sizes)
            seconds, (all_after, ours_after) = time.perf_counter() - started, processor_seconds()
            others[name] = (all_after - all_before - ours_after + ours_before) / seconds
            say(f"{name}: done in {math.ceil(seconds)} s; others took {others[name]:.2f} cores meanwhile")
        found["others_took_cores"] = others
    found["load_average"] = {"before": load_before, "after": os.getloadavg()[0]}
    text = json.dumps(found, indent=1) + "\n"
    if target is None:
        print(text)
    else:
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)


if __name__ == "__main__":
    main()
