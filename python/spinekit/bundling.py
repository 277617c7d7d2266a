"""One series in one ZIP whose first bytes already show something."""

import contextlib
import dataclasses
import json
import os
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spinekit import _core, _engine
from spinekit._progress import Progress
from spinekit._sources import PART_SUFFIX, Item, list_items

#: The manifest's name: always the first entry.
MANIFEST_NAME = "spinekit.json"

Order = Literal["middle-out", "sequential", "interleaved"]

_TAGS = {
    "Modality": (0x0008, 0x0060),
    "SeriesInstanceUID": (0x0020, 0x000E),
    "InstanceNumber": (0x0020, 0x0013),
    "ImagePositionPatient": (0x0020, 0x0032),
    "ImageOrientationPatient": (0x0020, 0x0037),
    "NumberOfFrames": (0x0028, 0x0008),
    "PixelSpacing": (0x0028, 0x0030),
    "Rows": (0x0028, 0x0010),
    "Columns": (0x0028, 0x0011),
    "SamplesPerPixel": (0x0028, 0x0002),
    "BitsAllocated": (0x0028, 0x0100),
    "BitsStored": (0x0028, 0x0101),
    "PixelRepresentation": (0x0028, 0x0103),
    "RescaleIntercept": (0x0028, 0x1052),
    "RescaleSlope": (0x0028, 0x1053),
}


def slice_order(count: int, order: Order | Sequence[int] = "middle-out") -> list[int]:
    """Return the order in which slices are handed out, 0-based.

    Parameters
    ----------
    count : number of slices, >= 0
    order : "middle-out": n // 2, then one before, one behind, two before ...; "sequential";
        "interleaved": the middle, first and last, then every 4th, every 2nd, the rest; or the order
        itself, each index once

    Raises
    ------
    ArgumentError
        If the order is unknown or not a permutation.

    Examples
    --------
    >>> import spinekit as sk
    >>> sk.slice_order(5)
    [2, 1, 3, 0, 4]
    """
    if count < 0:
        raise _core.ArgumentError(f"count is {count}, expected at least 0")
    if not isinstance(order, str):
        given = [int(k) for k in order]
        if sorted(given) != list(range(count)):
            raise _core.ArgumentError(f"the order is not each of 0 ... {count - 1} once")
        return given
    middle = count // 2
    if order == "sequential":
        return list(range(count))
    if order == "middle-out":
        steps = (k for d in range(1, count + 1) for k in (middle - d, middle + d))
        return [k for k in (middle, *steps) if 0 <= k < count]
    if order == "interleaved":
        stages = [middle, 0, count - 1, *range(0, count, 4), *range(0, count, 2), *range(count)]
        return list(dict.fromkeys(k for k in stages if 0 <= k < count))
    raise _core.ArgumentError(
        f"order is {order!r}, expected 'middle-out', 'sequential', 'interleaved' or a list"
    )


@dataclasses.dataclass(frozen=True)
class Bundle:
    """What `bundle` has written.

    Attributes
    ----------
    path : the ZIP
    manifest : its first entry, see `bundle`
    size : bytes of the ZIP
    warnings : uneven steps, slices at one place, files that were left out
    seconds : wall time
    """

    path: Path
    manifest: dict[str, Any]
    size: int
    warnings: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        m = self.manifest
        spacing = m["geometry"] and m["geometry"]["spacing"]
        where = f", spacing {' x '.join(f'{s:g}' for s in spacing)} mm" if spacing and all(spacing) else ""
        return (
            f"'{self.path}': {m['count']} slices of {m['rows']} x {m['columns']}{where}, "
            f"{m['order']}, {self.size} bytes" + "".join(f"\nnote: {w}" for w in self.warnings)
        )


@dataclasses.dataclass
class _Slice:
    item: Item
    header: dict[Any, Any]
    position: float

    def text(self, keyword: str) -> str:
        return str(self.header.get(_TAGS[keyword], ""))

    def numbers(self, keyword: str) -> list[float]:
        with contextlib.suppress(ValueError):
            return [float(part) for part in self.text(keyword).split("\\") if part.strip()]
        return []


def bundle(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    order: Order | Sequence[int] = "middle-out",
    series: str | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Bundle:
    """Put one series into a ZIP from which a viewer shows slices while it still arrives.

    Parameters
    ----------
    source : folder or ZIP with the slices, each a single-frame DICOM file; other files are left out
    target : the new ZIP
    order : as for `slice_order`; indices count along the slice normal
    series : SeriesInstanceUID, needed when the source holds several series
    overwrite : replace an existing target

    Returns
    -------
    bundle : with the manifest, the ZIP's first entry ``spinekit.json``: ``count``; ``entries``, each
        with ``name``, ``index`` (its place along the slice normal) and ``size``; ``order``; ``rows``,
        ``columns``, ``samples``; ``stored_dtype`` and ``dtype`` (of the volume that comes of it:
        CT int16 HU, float32 where a rescale is fractional or its range exceeds int16; else as stored);
        ``modality``; ``rescale`` (slope and intercept, null when they vary);
        ``series_instance_uid``; ``geometry`` (null without positions or a common
        orientation): ``spacing`` (slice step, row, column) mm, null where it is not known;
        ``origin`` and ``direction`` (columns: slice, row, column axis), LPS, so that slice k lies at
        origin + k * step * slice axis; ``regular`` (all steps equal within 1 %). No patient data.

    Raises
    ------
    ArgumentError
        If there is no series, several, or a multiframe file.
    MalformedDataError
        If a DICOM file of the source cannot be read: a bundle with a hole would look whole.

    Notes
    -----
    ZIP64 where needed, entries stored (they are compressed already). One slice is in memory at a
    time.

    References
    ----------
    DICOM PS3.3 C.7.6.2 (Image Plane module).
    """
    started = time.perf_counter()
    source, target = _engine.path_of(source), _engine.path_of(target)
    if target.exists() and not overwrite:
        raise _core.ResourceError(f"'{target}' exists; choose another name, or overwrite")
    slices, left_out = _slices_of(source, series)
    indices = slice_order(len(slices), order)
    manifest = _manifest(slices, indices, order if isinstance(order, str) else "given")
    part = target.with_name(f"{target.name}.{os.getpid()}{PART_SUFFIX}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(MANIFEST_NAME, json.dumps(manifest, indent=1))
            with Progress(len(slices), progress, "bundling") as bar:
                for entry in manifest["entries"]:
                    archive.writestr(entry["name"], slices[entry["index"]].item.read())
                    bar.advance()
        part.replace(target)
    except OSError as failure:
        raise _engine.os_error(target, "cannot be written", failure) from failure
    finally:
        part.unlink(missing_ok=True)
    warnings = _warnings(slices, manifest["geometry"], left_out)
    return Bundle(target, manifest, target.stat().st_size, warnings, time.perf_counter() - started)


def _warnings(slices: list[_Slice], geometry: dict[str, Any] | None, left_out: int) -> tuple[str, ...]:
    found = []
    if geometry is None:
        found.append("no common orientation or no positions: slices are ordered by InstanceNumber")
    else:
        steps = np.diff([s.position for s in slices])
        if same := int(np.sum(np.abs(steps) < 1e-3)):
            found.append(f"{same} slices lie where their neighbour lies")
        if geometry["regular"] is False:
            span = f"{np.min(steps):g} to {np.max(steps):g} mm"
            found.append(f"the steps are uneven, {span}: slices may be missing")
    if left_out:
        found.append(f"{left_out} files that are no images were left out")
    return tuple(found)


def _slices_of(source: Path, series: str | None) -> tuple[list[_Slice], int]:
    left_out = 0
    by_series: dict[str, list[_Slice]] = {}
    for item in list_items(source):
        if item.problem:
            raise _core.ResourceError(item.problem)
        data = item.read()
        try:
            header = _core.read_header(data, os.fsencode(item.name), list(_TAGS.values()))
        except _core.SpinekitError:
            if data[128:132] == b"DICM" or not data.strip(b"\0"):
                raise
            left_out += 1
            continue
        if header["has_pixels"]:
            found = _Slice(item, header, 0.0)
            by_series.setdefault(found.text("SeriesInstanceUID"), []).append(found)
        else:
            left_out += 1
    if not by_series:
        raise _core.ArgumentError(f"'{source}': no DICOM image")
    if series is None and len(by_series) > 1:
        listing = ", ".join(f"{uid} ({len(found)} images)" for uid, found in by_series.items())
        raise _core.ArgumentError(f"'{source}' holds {len(by_series)} series, name one as series=: {listing}")
    if series is not None and series not in by_series:
        raise _core.ArgumentError(f"'{source}': no series {series}; there are {', '.join(by_series)}")
    slices = by_series[series if series is not None else next(iter(by_series))]
    for one in slices:
        if (frames := one.text("NumberOfFrames")) not in ("", "1"):
            raise _core.ArgumentError(
                f"'{one.item.name}' has {frames} frames: a bundle holds single-frame slices"
            )
    if len({(s.text("Rows"), s.text("Columns")) for s in slices}) > 1:
        raise _core.ArgumentError(f"'{source}': the slices of the series differ in Rows or Columns")
    return _sorted_slices(slices), left_out


def _orientation(slices: list[_Slice]) -> npt.NDArray[np.float64] | None:
    """Return the ImageOrientationPatient that all slices share, or None without positions either."""
    first = slices[0].numbers("ImageOrientationPatient")
    if len(first) != 6:
        return None
    for one in slices:
        orientation = one.numbers("ImageOrientationPatient")
        if len(one.numbers("ImagePositionPatient")) != 3 or len(orientation) != 6:
            return None
        if not np.allclose(orientation, first, atol=1e-4):
            return None
    return np.array(first)


def _sorted_slices(slices: list[_Slice]) -> list[_Slice]:
    orientation = _orientation(slices)
    for one in slices:
        if orientation is not None:
            normal = np.cross(orientation[:3], orientation[3:])
            one.position = float(np.dot(normal, one.numbers("ImagePositionPatient")))
        else:
            numbers = one.numbers("InstanceNumber")
            one.position = numbers[0] if numbers else 0.0
    return sorted(slices, key=lambda s: (s.position, s.item.name))


def _geometry(slices: list[_Slice]) -> dict[str, Any] | None:
    orientation = _orientation(slices)
    if orientation is None:
        return None
    positions = np.array([s.numbers("ImagePositionPatient") for s in slices])
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    spacing = float(np.median(steps)) if steps.size else None
    # The axis that slices really follow: with a tilted gantry it is not the normal.
    axis = np.cross(orientation[:3], orientation[3:])
    along = positions[-1] - positions[0]
    if (length := float(np.linalg.norm(along))) > 0:
        axis = along / length
    rows_columns = slices[0].numbers("PixelSpacing")
    return {
        "spacing": [spacing, *(rows_columns if len(rows_columns) == 2 else [None, None])],
        "origin": positions[0].tolist(),
        "direction": np.column_stack([axis, orientation[3:], orientation[:3]]).tolist(),
        "regular": bool(np.all(np.abs(steps - spacing) <= 0.01 * spacing)) if spacing else None,
    }


def _dtypes(slices: list[_Slice], modality: str) -> tuple[str, str, list[float] | None]:
    """Return stored dtype, volume dtype, and the rescale that all slices share."""

    def shared(keyword: str, default: int) -> int:
        values = {int(s.header.get(_TAGS[keyword], default)) for s in slices}
        if len(values) > 1:
            raise _core.ArgumentError(f"the slices differ in {keyword}: {sorted(values)}")
        return values.pop()

    signed = shared("PixelRepresentation", 0) == 1
    bits = shared("BitsStored", 16)
    stored = np.dtype(f"{'i' if signed else 'u'}{shared('BitsAllocated', 16) // 8}")
    rescales = set()
    for one in slices:
        slope = (one.numbers("RescaleSlope") or [1.0])[0]
        intercept = (one.numbers("RescaleIntercept") or [0.0])[0]
        if not (np.isfinite(slope) and np.isfinite(intercept)):
            raise _core.MalformedDataError(
                f"'{one.item.name}': RescaleSlope or RescaleIntercept is no number"
            )
        rescales.add((slope, intercept))
    volume = stored
    if modality == "CT":
        volume = np.dtype(np.int16)
        least, largest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        for slope, intercept in rescales:
            low, high = sorted((slope * least + intercept, slope * largest + intercept))
            whole = slope == int(slope) and intercept == int(intercept)
            if not whole or low < -32768 or high > 32767:
                volume = np.dtype(np.float32)
    return stored.name, volume.name, list(rescales.pop()) if len(rescales) == 1 else None


def _manifest(slices: list[_Slice], indices: list[int], order: str) -> dict[str, Any]:
    first = slices[0]
    modality = first.text("Modality")
    stored, volume, rescale = _dtypes(slices, modality)
    digits = len(str(max(len(slices) - 1, 1)))
    return {
        "spinekit": _core.__version__,
        "format": 1,
        "count": len(slices),
        "order": order,
        "rows": int(first.header.get(_TAGS["Rows"], 0)),
        "columns": int(first.header.get(_TAGS["Columns"], 0)),
        "samples": int(first.header.get(_TAGS["SamplesPerPixel"], 1)),
        "stored_dtype": stored,
        "dtype": volume,
        "modality": modality,
        "rescale": rescale,
        "series_instance_uid": first.text("SeriesInstanceUID"),
        "geometry": _geometry(slices),
        "entries": [
            {"name": f"slices/{k:0{digits}d}.dcm", "index": k, "size": slices[k].item.size} for k in indices
        ],
    }
