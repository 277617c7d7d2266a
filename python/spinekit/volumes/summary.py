"""What `spinekit volume` tells about a volume, and the files that it writes."""

import importlib
import resource
from pathlib import Path
from typing import Any

import numpy as np

from spinekit import _core, _engine
from spinekit.volumes.volume import Volume

#: Suffixes of the files that `write_volume` knows.
SUFFIXES = (".nii.gz", ".nii", ".npy", ".png")

_AXES = ("slices", "rows", "columns")
_TIMES = {"initialized": "shape known", "first_slice": "first slice", "last_slice": "all slices"}


def values_of(volume: Volume) -> dict[str, Any]:
    """Return everything that `text_of` tells as plain values, for JSON."""
    return {
        "source": volume.name,
        "modality": volume.modality,
        "shape": list(volume.shape),
        "dtype": str(volume.dtype),
        "bytes": _bytes(volume),
        "peak_process_bytes": _peak_bytes(),
        "loaded": int(np.count_nonzero(volume.loaded)),
        "series": [vars(series) for series in volume.series],
        "geometry": volume.geometry.as_dict(),
        "order": volume.order,
        "timing": volume.timing,
        "warnings": volume.warnings,
        "errors": {str(key): str(error) for key, error in volume.errors.items()},
    }


def text_of(volume: Volume) -> str:
    """Return series, size, geometry, findings, errors, timing and memory of a volume, in lines."""
    shape = " x ".join(map(str, volume.shape))
    loaded = int(np.count_nonzero(volume.loaded))
    lines = [f"'{volume.name}': {volume.modality or 'no modality'}, {shape} {volume.dtype}", "series:"]
    lines += [f"  {'*' if series.chosen else ' '} {series}" for series in volume.series]
    lines += ["geometry:", *(f"  {line}" for line in _geometry_lines(volume))]
    lines += [f"note: {warning}" for warning in volume.warnings]
    for key, error in volume.errors.items():
        where = f"slice {key}: " if isinstance(key, int) else ""
        lines.append(f"ERROR: {where}{error}")
    times = [f"{name} {volume.timing[key]:.3f} s" for key, name in _TIMES.items() if key in volume.timing]
    lines.append(f"time:   {', '.join(times)}; {loaded} of {len(volume)} slices")
    megabytes = _bytes(volume) / 1e6, _peak_bytes() / 1e6
    lines.append(
        f"memory: {megabytes[0]:.1f} MB for the voxels, {megabytes[1]:.1f} MB at most for the process"
    )
    return "\n".join(lines)


def _geometry_lines(volume: Volume) -> list[str]:
    geometry = volume.geometry
    spacing = " x ".join("?" if s is None else f"{s:.6g}" for s in geometry.spacing)
    lines = [f"spacing {spacing} mm (slice, row, column)"]
    if geometry.origin is None or geometry.direction is None:
        return [*lines, "origin and axes are not known"]
    lines.append("origin  " + _vector(geometry.origin) + " mm, LPS")
    axes = (f"{name} {_vector(axis)}" for name, axis in zip(_AXES, geometry.direction.T, strict=True))
    lines.append("axes    " + ", ".join(axes))
    return lines


def _vector(values: Any) -> str:
    return "(" + ", ".join(f"{float(v) + 0.0:.6g}" for v in values) + ")"


def _bytes(volume: Volume) -> int:
    return int(np.prod(volume.shape, dtype=object)) * volume.dtype.itemsize


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def check_target(target: Path, *, overwrite: bool) -> None:
    """Raise an error where `write_volume` would fail after everything was loaded."""
    if not target.name.lower().endswith(SUFFIXES):
        raise _core.ArgumentError(f"--out {target}: expected a name that ends in {', '.join(SUFFIXES)}")
    if not target.absolute().parent.is_dir():
        raise _core.ArgumentError(f"--out {target}: no such folder")
    if target.exists() and not overwrite:
        raise _core.ArgumentError(f"--out {target} exists; --overwrite replaces it")
    if target.name.lower().endswith((".nii", ".nii.gz")):
        nifti = importlib.import_module("spinekit.volumes.nifti")
        nifti.require_nibabel(f"--out {target}")


def write_volume(volume: Volume, target: Path) -> None:
    """Write a volume as NIfTI, as NumPy array, or as PNG with a sheet of slices.

    Raises
    ------
    ResourceError
        If the file cannot be written; what was there stays.
    """
    name = target.name.lower()
    suffix = next(suffix for suffix in SUFFIXES if name.endswith(suffix))
    try:
        with _engine.appearing_whole(target, suffix) as part:
            if suffix in (".nii", ".nii.gz"):
                volume.to_nifti().to_filename(part)
            elif suffix == ".npy":
                np.save(part, volume.array)
            else:
                from spinekit.volumes.pictures import contact_sheet  # noqa: PLC0415 - imports Pillow

                contact_sheet(volume).save(part)
    except OSError as failure:
        raise _engine.os_error(target, "cannot be written", failure) from failure
