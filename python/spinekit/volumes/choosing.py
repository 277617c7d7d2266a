"""From the headers of a source to the slices of one volume."""

import collections
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinekit import _core
from spinekit.volumes.filling import Content, SeriesInfo
from spinekit.volumes.geometry import Geometry, arranged
from spinekit.volumes.order import Order, slice_order

#: PixelSpacing that differs by less, in parts of it, is the same.
_SAME_SPACING = 1e-3

#: HU of what has not arrived: air.
CT_FILL = -1000


@dataclass(frozen=True)
class Source:
    """One file or entry with an image: its header, and the label for messages."""

    label: str
    header: _core.ImageHeader

    @functools.cached_property
    def frames(self) -> list[_core.FrameHeader]:
        """Headers of the frames: the engine makes a new list of all of them whenever it is asked."""
        return self.header.frames


@dataclass(frozen=True)
class Stack:
    """Slices of one volume, in order."""

    origins: list[tuple[int, int]]  # (number of the source, frame) of each slice
    labels: list[str]
    geometry: Geometry
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    modality: str
    series: list[SeriesInfo]
    warnings: list[str]
    photometric: str = ""


def choose(name: str, sources: Sequence[Source], series: str | None, dtype: Any = None) -> Stack:
    """Return the stack of slices that a volume is made of.

    The series is the largest, or the one named; within it, the images of the most frequent size and
    orientation. Everything that is left out is named in the warnings.
    """
    by_series: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        by_series.setdefault(source.header.series_instance_uid, []).append(number)
    if not by_series:
        raise _core.ArgumentError(f"'{name}': no DICOM image that can be read")
    if series is not None and series not in by_series:
        raise _core.ArgumentError(f"'{name}': no series {series}; there are {', '.join(by_series)}")

    def images(uid: str) -> int:
        return sum(len(sources[n].frames) for n in by_series[uid])

    chosen = series if series is not None else max(by_series, key=images)
    listing = []
    for uid in sorted(by_series, key=images, reverse=True):
        header = sources[by_series[uid][0]].header
        listing.append(
            SeriesInfo(
                uid,
                header.modality,
                images(uid),
                header.rows,
                header.columns,
                header.series_number,
                header.series_description,
                uid == chosen,
            )
        )
    numbers, warnings = without_copies(sources, by_series[chosen])
    if series is None and len(listing) > 1:
        warnings.append(f"{len(listing)} series, the largest is open; choose another by series=")
    kept, left_out = _one_grid(sources, numbers)
    warnings += left_out
    return _stacked(sources, kept, listing, warnings, dtype)


def without_copies(sources: Sequence[Source], numbers: list[int]) -> tuple[list[int], list[str]]:
    """Drop files that are the same SOP instance as an earlier one."""
    seen: set[str] = set()
    kept, copies = [], []
    for number in numbers:
        uid = sources[number].header.sop_instance_uid
        if uid and uid in seen:
            copies.append(sources[number].label)
        else:
            seen.add(uid)
            kept.append(number)
    if not copies:
        return kept, []
    return kept, [f"{len(copies)} files are copies of others (same SOPInstanceUID): {_some(copies)}"]


def _some(names: list[str]) -> str:
    shown = ", ".join(f"'{Path(name).name}'" for name in names[:3])
    return shown + (", ..." if len(names) > 3 else "")


def _one_grid(sources: Sequence[Source], numbers: list[int]) -> tuple[list[tuple[int, int]], list[str]]:
    """Return the (source, frame) pairs of the most frequent size and orientation."""
    groups: list[tuple[tuple[int, int, int], _core.FrameHeader, list[tuple[int, int]]]] = []
    last: dict[tuple[int, int, int], int] = {}
    for number in numbers:
        header = sources[number].header
        size = (header.rows, header.columns, header.samples)
        for index, frame in enumerate(sources[number].frames):
            place = last.get(size)
            if place is None or not _same_grid(groups[place][1], frame):
                place = next(
                    (g for g, (s, f, _) in enumerate(groups) if s == size and _same_grid(f, frame)), None
                )
            if place is None:
                place = len(groups)
                groups.append((size, frame, []))
            last[size] = place
            groups[place][2].append((number, index))
    groups.sort(key=lambda group: -len(group[2]))
    warnings = []
    for (rows, columns, _), _, members in groups[1:]:
        same_size = (rows, columns) == groups[0][0][:2]
        differs = "orientation, PixelSpacing or colours" if same_size else "size"
        warnings.append(
            f"{len(members)} images of {rows} x {columns} have another {differs} and are left out: "
            + _some([sources[n].label for n, _ in members])
        )
    return groups[0][2], warnings


def _same_grid(a: _core.FrameHeader, b: _core.FrameHeader) -> bool:
    if not a.same_orientation(b):
        return False
    if a.spacing is None or b.spacing is None:
        return a.spacing is b.spacing
    return all(abs(x - y) <= _SAME_SPACING * x for x, y in zip(a.spacing, b.spacing, strict=True))


def _stacked(
    sources: Sequence[Source],
    pairs: list[tuple[int, int]],
    listing: list[SeriesInfo],
    warnings: list[str],
    dtype: Any,
) -> Stack:
    pairs = sorted(pairs, key=lambda pair: (sources[pair[0]].label, pair[1]))
    frames = [sources[n].frames[f] for n, f in pairs]
    order, geometry = arranged(frames)
    first = sources[pairs[0][0]].header
    if dtype is None:
        by_source: dict[int, list[_core.FrameHeader]] = collections.defaultdict(list)
        for (number, _), frame in zip(pairs, frames, strict=True):
            by_source[number].append(frame)
        kinds = {np.dtype(_core.voxel_dtype(sources[n].header, f)) for n, f in by_source.items()}
        dtype = np.result_type(*kinds)
        if dtype not in kinds:
            dtype = np.dtype(np.float32)
    shape = (len(order), first.rows, first.columns) + ((first.samples,) if first.samples > 1 else ())
    origins = [pairs[k] for k in order]
    labels = [sources[n].label + (f", frame {f}" if len(sources[n].frames) > 1 else "") for n, f in origins]
    return Stack(
        origins,
        labels,
        geometry,
        shape,
        np.dtype(dtype),
        first.modality,
        listing,
        warnings,
        first.photometric,
    )


def available_memory() -> int | None:
    """Return the bytes that this machine can still give, where it says so."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def make_memory(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], modality: str) -> _core.VolumeMemory:
    """Return the memory of a volume, filled, or an error where there can be none."""
    size = math.prod(shape) * dtype.itemsize
    left = available_memory()
    if left is not None and size > left:
        raise _core.ResourceError(
            f"'{name}': the volume of {' x '.join(map(str, shape))} {dtype} needs "
            f"{size / 2**30:.1f} GiB, {left / 2**30:.1f} are left; open it with load='on-demand'"
        )
    rows, columns, *samples = shape[1:]
    return _core.VolumeMemory(
        shape[0], rows, columns, samples[0] if samples else 1, dtype, CT_FILL if modality == "CT" else 0
    )


def content_of(name: str, stack: Stack, order: Order | Sequence[int], *, keep: bool) -> Content:
    """Return what is known of a volume once its stack is; `order` as for `slice_order`."""
    indices = slice_order(stack.shape[0], order)
    return Content(
        make_memory(name, stack.shape, stack.dtype, stack.modality) if keep else None,
        stack.shape,
        stack.dtype,
        stack.geometry,
        stack.modality,
        indices,
        stack.series,
        labels=stack.labels,
        warnings=stack.warnings,
        photometric=stack.photometric,
    )
