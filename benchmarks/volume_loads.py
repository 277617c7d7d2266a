"""Ways to load what benchmarks/volumes.py has made, ours and the peers', each timed; alone too.

As a script it runs one of them in this fresh process and prints what it took as JSON:

    python benchmarks/volume_loads.py series spinekit series.zip
"""

import importlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WORKERS = 2
#: A peer that takes longer than this in a process of its own is stopped.
_PATIENCE = 300
_MOST_MEMORY = 12 << 30


@dataclass
class Load:
    """Seconds to the first slice and to the last one, and what was loaded."""

    first: float | None
    last: float
    array: np.ndarray


def series_by_spinekit(path: str) -> Load:
    import spinekit as sk  # noqa: PLC0415 - a child imports only what it measures

    seen: list[tuple[float, int]] = []
    started = time.perf_counter()
    volume = sk.open_volume(
        path,
        workers=WORKERS,
        progress=False,
        on_slice_processed=lambda index, *_: seen.append((time.perf_counter() - started, index)),
    )
    complete = volume.wait()
    seconds = time.perf_counter() - started
    # A worker that has to wait for the processor is overtaken by those with the middle's neighbours.
    near = abs(seen[0][1] - len(volume) // 2) <= 2 * WORKERS
    if not complete or volume.errors or not near or len(seen) != len(volume):
        raise RuntimeError(f"'{path}' did not load as expected: {volume}, first slice {seen[0][1]}")
    return Load(seen[0][0], seconds, volume.array)


def series_by_simpleitk(folder: str) -> Load:
    import SimpleITK as sitk  # noqa: N813, PLC0415

    started = time.perf_counter()
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(folder))
    image = reader.Execute()
    seconds = time.perf_counter() - started
    return Load(None, seconds, sitk.GetArrayFromImage(image))


def _plugin(syntax: str) -> str:
    """Return the fastest of pydicom's decoders for a transfer syntax; its own first choice is not."""
    return {"1.2.840.10008.1.2.4.80": "pyjpegls"}.get(syntax, "")


def series_by_pydicom(folder: str) -> Load:
    import pydicom  # noqa: PLC0415

    started = time.perf_counter()
    found = [pydicom.dcmread(path) for path in Path(folder).iterdir()]
    found.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    array = np.empty((len(found), found[0].Rows, found[0].Columns), np.int16)
    for k, ds in enumerate(found):
        ds.pixel_array_options(decoding_plugin=_plugin(ds.file_meta.TransferSyntaxUID))
        np.multiply(ds.pixel_array, int(ds.RescaleSlope), out=array[k], casting="unsafe")
        array[k] += int(ds.RescaleIntercept)
    return Load(None, time.perf_counter() - started, array)


SERIES = {
    "spinekit": series_by_spinekit,
    "SimpleITK": series_by_simpleitk,
    "pydicom": series_by_pydicom,
}


# ---- single frames of a multiframe file: seconds until the shape is known, and for each frame


def frames_by_spinekit(path: str, indices: list[int]) -> tuple[float, list[float]]:
    import spinekit as sk  # noqa: PLC0415

    started = time.perf_counter()
    volume = sk.open_volume(path, load="on-demand", workers=WORKERS)
    assert volume.shape[1:] == (512, 512)
    seconds = time.perf_counter() - started
    return seconds, _each(volume.read_slice, indices)


def frames_by_pydicom(path: str, indices: list[int]) -> tuple[float, list[float]]:
    import pydicom  # noqa: PLC0415
    from pydicom.pixels import pixel_array  # noqa: PLC0415

    started = time.perf_counter()
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    assert ds.NumberOfFrames > 1
    seconds = time.perf_counter() - started
    plugin = _plugin(ds.file_meta.TransferSyntaxUID)
    return seconds, _each(lambda k: pixel_array(path, index=k, decoding_plugin=plugin), indices)


def frames_by_simpleitk(path: str, indices: list[int]) -> tuple[float, list[float]]:
    import SimpleITK as sitk  # noqa: N813, PLC0415

    started = time.perf_counter()
    reader = sitk.ImageFileReader()
    reader.SetFileName(path)
    reader.ReadImageInformation()
    columns, rows, _ = reader.GetSize()
    seconds = time.perf_counter() - started

    def read(k: int) -> np.ndarray:
        reader.SetExtractIndex([0, 0, k])
        reader.SetExtractSize([columns, rows, 0])
        return sitk.GetArrayFromImage(reader.Execute())

    return seconds, _each(read, indices)


def _each(read: Callable[[int], np.ndarray], indices: list[int]) -> list[float]:
    found = []
    for k in indices:
        started = time.perf_counter()
        pixels = read(k)
        found.append(time.perf_counter() - started)
        assert pixels.shape == (512, 512)
    return found


FRAMES = {
    "spinekit": frames_by_spinekit,
    "SimpleITK": frames_by_simpleitk,
    "pydicom": frames_by_pydicom,
}


# ---- churn


def churn(path: str, count: int) -> dict[str, Any]:
    """Open a volume `count` times and drop it while it loads; threads and memory before and after."""
    import spinekit as sk  # noqa: PLC0415

    def once() -> bool:
        volume = sk.open_volume(path, workers=WORKERS, progress=False)
        return not volume.finished

    for _ in range(20):
        once()
    before = process_state()
    started = time.perf_counter()
    loading = sum(once() for _ in range(count))
    seconds = time.perf_counter() - started
    after = process_state()
    return {
        "times": count,
        "still_loading": loading,
        "seconds": seconds,
        "threads_before": before["Threads"],
        "threads_after": after["Threads"],
        "rss_before_mb": before["VmRSS"] / 1024,
        "rss_after_mb": after["VmRSS"] / 1024,
    }


# ---- a fresh process for each


def process_state() -> dict[str, int]:
    """Return the numbers of /proc/self/status: megabytes as kB, and threads."""
    found = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key in ("VmRSS", "VmHWM", "RssAnon", "RssFile", "RssShmem", "Threads"):
            found[key] = int(value.split()[0])
    return found


def alone(*arguments: str) -> dict[str, Any]:
    """Run this script with `arguments` in a fresh process; its result, or ``{"failed": why}``."""
    command = [sys.executable, __file__, *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done within {_PATIENCE} s"}
    if run.returncode:
        last = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        return {"failed": last[:300]}
    return json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    # What takes the machine's memory is stopped before it has all of it.
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    kind, library, path, *rest = sys.argv[1:]
    importlib.import_module(library)
    before = process_state()
    if kind == "series":
        load = SERIES[library](path)
        found = {"first": load.first, "last": load.last, "voxel_bytes": load.array.nbytes}
    elif kind == "churn":
        found = churn(path, int(rest[0]))
    else:
        opened, each = FRAMES[library](path, [int(k) for k in rest])
        found = {"opened": opened, "each": each}
    after = process_state()
    found |= {
        "base_mb": before["VmRSS"] / 1024,
        "peak_mb": after["VmHWM"] / 1024,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
