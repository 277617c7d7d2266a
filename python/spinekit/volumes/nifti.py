"""Volumes out of NIfTI files and nibabel images."""

import collections
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinekit import _core, _engine
from spinekit.volumes.choosing import Stack, content_of
from spinekit.volumes.filling import Filling, SeriesInfo
from spinekit.volumes.geometry import FloatArray, Geometry
from spinekit.volumes.local import Wishes
from spinekit.volumes.stored_voxels import ArrayVoxels, FileVoxels, Rescale, Voxels, open_plain

#: A header may claim any number of slices; so many are still believed.
_MOST_SLICES = 1 << 20
#: Below this the slice axis is taken for the normal, as for DICOM.
_LEAST_TILT_DEG = 0.05
_MM = {"meter": 1000.0, "micron": 0.001}


def require_nibabel(purpose: str) -> Any:
    """Return the module nibabel, or an error that says how to get it."""
    try:
        import nibabel  # noqa: PLC0415 - an extra
    except ImportError as failure:
        raise _core.UnsupportedError(f"{purpose} needs nibabel: pip install 'spinekit[nifti]'") from failure
    return nibabel


@dataclass(frozen=True)
class _Image:
    """A NIfTI image whose slices have not been read.

    Attributes
    ----------
    shape : (columns, rows, slices)
    affine : shape (4, 4), (column, row, slice, 1) to RAS, mm
    """

    name: str
    voxels: Voxels
    shape: tuple[int, int, int]
    stored: np.dtype[Any]
    slope: float
    intercept: float
    affine: FloatArray
    findings: tuple[str, ...]


def fill_from_nifti(filling: Filling, source: Any, wishes: Wishes) -> None:
    """Load a NIfTI file or a nibabel image, slice by slice.

    Parameters
    ----------
    filling : is initialised and filled; slices that cannot be had fail
    source : path of a file .nii or .nii.gz, or a nibabel image of any format
    wishes : `series` must be None, `coarse` is ignored; the order holds for uncompressed files and
        arrays, gzip files are read forward

    Raises
    ------
    ArgumentError
        If the image has more than one volume, or a series is asked for.
    MalformedDataError
        If the header makes no sense.
    UnsupportedError
        If nibabel is missing, or voxels are complex or wider than 64 bits.

    Notes
    -----
    Volume axes (slices, rows, columns) are NIfTI's (k, j, i). The affine is nibabel's choice (sform
    before qform), in mm. Rescaled values are float32, or float64 where they are stored so; 64-bit
    integers become 32-bit ones where they fit. One slice at a time is in memory; of a gzip file
    nothing is inflated twice while it is loaded.

    References
    ----------
    NIfTI-1 Data Format, nifti1.h, 2007; NIfTI-2, nifti2.h, 2011.
    """
    if wishes.series is not None:
        raise _core.ArgumentError(f"'{filling.name}': a NIfTI image has no series; leave out series=")
    nibabel = require_nibabel("NIfTI")
    image = _from_file(nibabel, source) if isinstance(source, Path) else _from_image(source, filling.name)
    columns, rows, slices = image.shape
    if slices > _MOST_SLICES:
        raise _core.UnsupportedError(f"'{image.name}': {slices} slices, expected at most {_MOST_SLICES}")
    samples, dtype, warnings = _voxel_kind(image, wishes.dtype)
    rescale = Rescale(image.slope, image.intercept, dtype)
    geometry = geometry_of(image.affine, image.shape, image.findings)
    stack = Stack(
        [],
        [image.name] * slices,
        geometry,
        (slices, rows, columns, 3) if samples > 1 else (slices, rows, columns),
        dtype,
        "",
        [SeriesInfo("", "", slices, rows, columns, chosen=True)],
        warnings,
    )
    forward = image.voxels.forward
    order = "sequential" if forward else wishes.order
    content = content_of(filling.name, stack, order, keep=wishes.keep)
    anywhere = _from_file(nibabel, source).voxels if isinstance(source, Path) else image.voxels
    content.read_slice = lambda index: rescale(anywhere.read(index))
    filling.on_cancel(anywhere.close)
    filling.initialise(content, None)
    if content.memory is not None:
        try:
            _fill(filling, content.memory, image, rescale, content.order)
        finally:
            image.voxels.close()


def _fill(
    filling: Filling, memory: _core.VolumeMemory, image: _Image, rescale: Rescale, order: Sequence[int]
) -> None:
    left = collections.deque(order)
    while left and not filling.cancelled:
        first = filling.take_wanted_first()
        if first is not None and not image.voxels.forward:
            left = collections.deque(sorted(left, key=lambda k: 2 * abs(k - first) - (k < first)))
        index = left.popleft()
        try:
            memory.place_voxels(index, rescale(image.voxels.read(index)).data.cast("B"))
        except _core.SpinekitError as failure:
            memory.fail(index, failure)
    problem = "" if left else image.voxels.finish()
    if problem:
        filling.note(image.name, _core.MalformedDataError(f"'{image.name}': {problem}"))
    memory.close()


# ---- what an image is


def _from_file(nibabel: Any, path: Path) -> _Image:
    with open_plain(path) as file:
        try:
            start = file.read(nibabel.Nifti2Header.template_dtype.itemsize)
            size = int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big")
            kind = nibabel.Nifti2Header if 540 in size else nibabel.Nifti1Header
            header = kind(start[: kind.template_dtype.itemsize])
            slope, intercept = header.get_slope_inter()
            shape = _single_volume(str(path), tuple(int(n) for n in header.get_data_shape()))
            dtype = header.get_data_dtype()
            offset = int(header.get_data_offset())
            affine = np.asarray(header.get_best_affine(), np.float64)
        except (OSError, EOFError) as failure:
            if isinstance(failure, OSError) and failure.errno is not None:
                raise _engine.os_error(path, "cannot be read", failure) from failure
            raise _core.MalformedDataError(f"'{path}': truncated or damaged: {failure}") from failure
        except _core.SpinekitError:
            raise
        except Exception as failure:  # whatever nibabel makes of foreign bytes
            raise _core.MalformedDataError(f"'{path}': no NIfTI header: {failure}") from failure
    return _Image(
        str(path),
        FileVoxels(path, offset, dtype, shape),
        shape,
        dtype,
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
        _in_mm(affine, header),
        _orientation_findings(header),
    )


def _from_image(image: Any, name: str) -> _Image:
    data, header = image.dataobj, getattr(image, "header", None)
    shape = _single_volume(name, tuple(int(n) for n in data.shape))
    affine = np.full((4, 4), np.nan) if image.affine is None else np.asarray(image.affine, np.float64)
    stored, slope, intercept = np.dtype(getattr(data, "dtype", np.float64)), 1.0, 0.0
    path = getattr(data, "file_like", None)
    voxels: Voxels
    contiguous = getattr(data, "order", "") == "F" and hasattr(data, "offset") and hasattr(data, "slope")
    if contiguous and isinstance(path, str) and not path.endswith((".bz2", ".zst")):
        voxels = FileVoxels(Path(path), int(data.offset), stored, shape)
        slope, intercept = float(data.slope), float(data.inter)
    else:
        voxels = ArrayVoxels(data, len(data.shape))
        if not isinstance(data, np.ndarray):
            stored = voxels.read(0).dtype  # nibabel rescales what it reads
    return _Image(
        name, voxels, shape, stored, slope, intercept, _in_mm(affine, header), _orientation_findings(header)
    )


def _single_volume(name: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (columns, rows, slices) of the one volume of an image."""
    if not shape or min(shape) < 1:
        raise _core.MalformedDataError(f"'{name}': an image of shape {shape}")
    if any(n != 1 for n in shape[3:]):
        raise _core.ArgumentError(
            f"'{name}': an image of {' x '.join(map(str, shape))} has more than one volume; choose one, "
            "for instance sk.open_volume(nibabel.load(path).slicer[..., 0])"
        )
    columns, rows, slices = (*shape[:3], 1, 1)[:3]
    return columns, rows, slices


def _voxel_kind(image: _Image, wish: Any) -> tuple[int, np.dtype[Any], list[str]]:
    """Return samples and dtype of the volume's voxels, and warnings."""
    stored = image.stored
    if stored.names:
        alpha = ["the alpha channel is left out"] if len(stored.names) == 4 else []
        return 3, np.dtype(wish or np.uint8), alpha
    if stored.kind not in "biuf" or stored.itemsize > 8:
        raise _core.UnsupportedError(
            f"'{image.name}': voxels of dtype {stored}, expected integers, float32 or float64"
        )
    if wish is not None:
        return 1, np.dtype(wish), []
    if (image.slope, image.intercept) != (1.0, 0.0):
        return 1, np.dtype(np.float64 if stored == np.float64 else np.float32), []
    replaced = {"b1": np.uint8, "i8": np.int32, "u8": np.uint32, "f2": np.float32}
    kind = replaced.get(f"{stored.kind}{stored.itemsize}")
    return 1, np.dtype(kind) if kind is not None else stored.newbyteorder("="), []


# ---- where it lies


def _in_mm(affine: FloatArray, header: Any) -> FloatArray:
    unit = "mm"
    with contextlib.suppress(AttributeError, KeyError):
        unit = header.get_xyzt_units()[0]
    scale = _MM.get(unit, 1.0)
    return affine if scale == 1 else np.diag([scale, scale, scale, 1.0]) @ affine


def _orientation_findings(header: Any) -> tuple[str, ...]:
    with contextlib.suppress(AttributeError, KeyError, IndexError, ValueError, TypeError):
        if int(header["qform_code"]) <= 0 and int(header["sform_code"]) <= 0:
            return ("the file has no orientation (qform and sform are unknown): its position is a guess",)
    return ()


def geometry_of(
    affine_ras: FloatArray, shape: tuple[int, int, int], findings: Sequence[str] = ()
) -> Geometry:
    """Return the geometry that a NIfTI affine describes.

    Parameters
    ----------
    affine_ras : shape (4, 4), (column, row, slice, 1) to RAS, mm; may be sheared
    shape : (columns, rows, slices)
    findings : are put before those about the affine
    """
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_ras
    axes = lps[:3, :3].copy()
    lengths = np.linalg.norm(axes, axis=0)
    if shape[2] == 1 and not lengths[2] > 0:
        axes[:, 2] = np.cross(axes[:, 0], axes[:, 1])
        axes[:, 2] /= np.linalg.norm(axes[:, 2]) or 1.0
    norms = np.linalg.norm(axes, axis=0)
    if not np.isfinite(lps).all() or not (norms > 0).all() or abs(np.linalg.det(axes / norms)) < 1e-6:
        known = [float(n) if np.isfinite(n) and n > 0 else None for n in lengths]
        found = (*findings, "the affine is singular: where the volume lies is not known")
        return Geometry((known[2], known[1], known[0]), None, None, findings=found)
    units = axes / norms
    normal = np.cross(units[:, 0], units[:, 1])
    normal /= np.linalg.norm(normal)
    tilt = float(np.degrees(np.arccos(np.clip(abs(units[:, 2] @ normal), 0.0, 1.0))))
    within = float(np.degrees(np.arcsin(np.clip(abs(units[:, 0] @ units[:, 1]), 0.0, 1.0))))
    found = tuple(findings)
    if tilt >= _LEAST_TILT_DEG:
        found += (f"the slices are sheared by {tilt:.4g} degrees: the slice axis is not their normal",)
    if within >= _LEAST_TILT_DEG:
        found += (f"rows and columns are {within:.4g} degrees off a right angle",)
    spacing = (float(lengths[2]) or None, float(lengths[1]), float(lengths[0]))
    return Geometry(
        spacing=spacing,
        origin=(float(lps[0, 3]), float(lps[1, 3]), float(lps[2, 3])),
        direction=units[:, ::-1].copy(),
        tilt=tilt if tilt >= _LEAST_TILT_DEG else 0.0,
        findings=found,
    )
