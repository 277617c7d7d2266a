"""One series in one ZIP whose first bytes already show something."""

import dataclasses
import json
import os
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinekit import _core, _engine
from spinekit._progress import Progress
from spinekit._sources import Item, is_broken_image, list_items
from spinekit.volumes.choosing import Source, without_copies
from spinekit.volumes.geometry import Geometry, arranged
from spinekit.volumes.local import COARSE_REDUCTION
from spinekit.volumes.manifest import MANIFEST_NAME, MOST_BYTES
from spinekit.volumes.order import Order, slice_order


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
    header: _core.ImageHeader

    @property
    def frame(self) -> _core.FrameHeader:
        return self.header.frames[0]


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
    source : folder or ZIP with the slices, each a single-frame DICOM file; other files, and copies of one
        SOP instance, are left out
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
        ``modality``; ``photometric``; ``rescale`` (slope and intercept, null when they vary);
        ``series_instance_uid``; ``geometry`` (null without positions or a common
        orientation): ``spacing`` (slice step, row, column) mm, null where it is not known;
        ``origin`` and ``direction`` (columns: slice, row, column axis), LPS, so that slice k lies at
        origin + k * step * slice axis; ``regular`` (all steps equal within 1 %); ``tilt``, ``gaps``,
        ``duplicates`` and ``findings`` as in `Geometry`. Entries of J2K files also say with ``coarse``
        how many of their first bytes hold the picture at a quarter of the resolution. No patient data.

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
    if target.exists() and source.exists() and target.samefile(source):
        raise _core.ArgumentError(f"'{target}' is the source itself; choose another name")
    slices, geometry, warnings = _slices_of(source, series)
    indices = slice_order(len(slices), order)
    manifest = _manifest(slices, geometry, indices, order if isinstance(order, str) else "given")
    described = json.dumps(manifest, separators=(",", ":")).encode()
    if len(described) > MOST_BYTES:
        raise _core.UnsupportedError(f"{len(slices)} slices are too many for one bundle")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            _engine.appearing_whole(target) as part,
            zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive,
        ):
            archive.writestr(MANIFEST_NAME, described)
            with Progress(len(slices), progress, "bundling") as bar:
                for entry in manifest["entries"]:
                    archive.writestr(entry["name"], slices[entry["index"]].item.read())
                    bar.advance()
    except OSError as failure:
        raise _engine.os_error(target, "cannot be written", failure) from failure
    return Bundle(target, manifest, target.stat().st_size, tuple(warnings), time.perf_counter() - started)


def _slices_of(source: Path, series: str | None) -> tuple[list[_Slice], Geometry, list[str]]:
    items = list_items(source)
    for item in items:
        if item.problem:
            raise _core.ResourceError(item.problem)
    items = [item for item in items if item.location is not None and item.name != MANIFEST_NAME]
    locations = [item.location for item in items if item.location is not None]
    scanned = _core.scan_headers(locations, _engine.executor(_engine.worker_count(None)), _core.CancelToken())
    left_out = 0
    by_series: dict[str, list[_Slice]] = {}
    for item, header in zip(items, scanned, strict=True):
        if isinstance(header, _core.ImageHeader):
            by_series.setdefault(header.series_instance_uid, []).append(_Slice(item, header))
        elif is_broken_image(item, header):
            raise header
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
    kept, warnings = without_copies([Source(s.item.name, s.header) for s in slices], list(range(len(slices))))
    slices = [slices[k] for k in kept]
    if left_out:
        warnings.append(f"{left_out} files that are no images were left out")
    for one in slices:
        if (frames := len(one.header.frames)) != 1:
            raise _core.ArgumentError(
                f"'{one.item.name}' has {frames} frames: a bundle holds single-frame slices"
            )
    if len({(s.header.rows, s.header.columns, s.header.samples) for s in slices}) > 1:
        raise _core.ArgumentError(f"'{source}': the slices of the series differ in Rows, Columns or colours")
    order, geometry = arranged([s.frame for s in slices])
    return [slices[k] for k in order], geometry, [*geometry.findings, *warnings]


def _manifest(slices: list[_Slice], geometry: Geometry, indices: list[int], order: str) -> dict[str, Any]:
    first = slices[0].header
    stored = {np.dtype(s.header.stored_dtype) for s in slices}
    if len(stored) > 1:
        raise _core.ArgumentError(
            f"the slices differ in BitsAllocated or PixelRepresentation: {sorted(map(str, stored))}"
        )
    # How many first bytes of each J2K file hold its picture at a quarter of the resolution.
    locations = [s.item.location for s in slices if s.item.location is not None]
    coarse = _core.coarse_bytes(
        locations, COARSE_REDUCTION, _engine.executor(_engine.worker_count(None)), _core.CancelToken()
    )
    rescales = {(s.frame.slope, s.frame.intercept) for s in slices}
    digits = len(str(max(len(slices) - 1, 1)))
    return {
        "spinekit": _core.__version__,
        "format": 1,
        "count": len(slices),
        "order": order,
        "rows": first.rows,
        "columns": first.columns,
        "samples": first.samples,
        "stored_dtype": stored.pop().name,
        "dtype": np.dtype(_core.voxel_dtype(first, [s.frame for s in slices])).name,
        "modality": first.modality,
        "photometric": first.photometric,
        "rescale": list(rescales.pop()) if len(rescales) == 1 else None,
        "series_instance_uid": first.series_instance_uid,
        "geometry": None if geometry.origin is None else geometry.as_dict(),
        "entries": [
            {"name": f"slices/{k:0{digits}d}.dcm", "index": k, "size": slices[k].item.size}
            | ({"coarse": coarse[k]} if coarse[k] else {})
            for k in indices
        ],
    }
