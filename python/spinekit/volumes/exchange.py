"""Volumes for other libraries: SimpleITK, VTK, nibabel.

All of them index (column, row, slice), the reverse of NumPy's order here. SimpleITK and VTK think in
LPS, as DICOM does, nibabel in RAS. The third axis is the true way from one slice to the next, which a
tilted gantry does not make perpendicular to the others: physical points are right, and whoever needs
a rectangular grid must resample. Where the geometry is not known, spacing is what the source says or
1 mm, and the origin is 0.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit import _core
from spinekit.volumes.geometry import FloatArray, Geometry
from spinekit.volumes.nifti import require_nibabel

if TYPE_CHECKING:
    from spinekit.volumes.volume import Volume

#: NIFTI_XFORM_SCANNER_ANAT: coordinates of the scanner, as DICOM's are.
_SCANNER = 1
_LARGEST_NIFTI1 = 32767


def _frame(geometry: Geometry) -> tuple[list[float], list[float], FloatArray]:
    """Return spacing, origin and direction for (column, row, slice), LPS, mm."""
    spacing = [1.0 if s is None else s for s in geometry.spacing[::-1]]
    origin = [0.0, 0.0, 0.0] if geometry.origin is None else list(geometry.origin)
    direction = np.eye(3) if geometry.direction is None else geometry.direction[:, ::-1]
    return spacing, origin, direction


def to_sitk(volume: "Volume") -> Any:
    """Return a copy of a volume as SimpleITK image; waits until it is loaded.

    Parameters
    ----------
    volume : slices that are broken, or never came, hold its fill value

    Returns
    -------
    image : SimpleITK.Image, indices (column, row, slice), of the volume's dtype; a vector image
        where the volume is in colour. Its third direction is the true slice axis: a tilted gantry
        gives a direction matrix that is not orthogonal, and every slice lies where its header says

    Raises
    ------
    UnsupportedError
        If SimpleITK is not installed.
    ArgumentError
        If the volume was opened with ``load="on-demand"``.
    SpinekitError
        If the source gave no volume at all.

    Notes
    -----
    The copy takes as much memory as the volume. SimpleITK's own series reader takes the slices' normal
    for the third direction, so that a tilted series lies elsewhere in it. SimpleITK straightens such
    an image when it writes NIfTI, NRRD keeps it.

    Examples
    --------
    >>> sk.open_volume("CT/").to_sitk().TransformIndexToPhysicalPoint((0, 0, 0))  # doctest: +SKIP
    """
    try:
        import SimpleITK as sitk  # noqa: N813, PLC0415 - an extra
    except ImportError as failure:
        raise _core.UnsupportedError("to_sitk needs SimpleITK: pip install SimpleITK") from failure
    volume.wait()
    array = volume.array
    image = sitk.GetImageFromArray(array, isVector=array.ndim == 4)
    spacing, origin, direction = _frame(volume.geometry)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction.ravel().tolist())
    return image


def to_vtk(volume: "Volume") -> Any:
    """Return a vtkImageData on the same memory as a volume, which goes on filling.

    Parameters
    ----------
    volume : only its geometry must be known; is waited for

    Returns
    -------
    image : vtkImageData, dimensions (columns, rows, slices); the scalars are `Volume.array` itself,
        which stays alive as long as they do. `Modified` is called on both whenever a slice was
        processed, in the thread that calls the volume back, see `Volume.dispatch`. The direction
        matrix is that of `to_sitk`

    Raises
    ------
    UnsupportedError
        If VTK is not installed.
    ArgumentError
        If the volume was opened with ``load="on-demand"``.

    Notes
    -----
    Takes no memory. A volume renderer uploads the whole volume to the graphics card whenever it is
    modified: render every so many slices, not after each.
    """
    try:
        from vtkmodules.util import numpy_support  # noqa: PLC0415 - an extra
        from vtkmodules.vtkCommonDataModel import vtkImageData  # noqa: PLC0415
    except ImportError as failure:
        raise _core.UnsupportedError("to_vtk needs VTK: pip install 'spinekit[vtk]'") from failure
    array = volume.array
    slices, rows, columns = array.shape[:3]
    flat = array.reshape(-1) if array.ndim == 3 else array.reshape(-1, array.shape[3])
    scalars = numpy_support.numpy_to_vtk(flat, deep=False)
    scalars.SetName("voxels")
    spacing, origin, direction = _frame(volume.geometry)
    image = vtkImageData()
    image.SetDimensions(columns, rows, slices)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirectionMatrix(direction.ravel().tolist())
    image.GetPointData().SetScalars(scalars)

    def changed(_: int) -> None:
        scalars.Modified()
        image.Modified()

    volume.listen(changed)
    return image


def to_nifti(volume: "Volume") -> Any:
    """Return a nibabel image that shows the memory of a volume; waits until it is loaded.

    Parameters
    ----------
    volume : as for `to_sitk`

    Returns
    -------
    image : nibabel.Nifti1Image (Nifti2Image beyond 32767 voxels a side) whose data are a view, axes
        (column, row, slice), of the volume's dtype; colours are NIfTI's RGB24. sform holds the
        affine to RAS, mm; qform too, except for a sheared grid, which it cannot describe

    Raises
    ------
    UnsupportedError
        If nibabel is not installed, or colours have more than 8 bits.
    ArgumentError
        If the volume was opened with ``load="on-demand"``.
    SpinekitError
        If the source gave no volume at all.

    Notes
    -----
    SimpleITK refuses to read NIfTI files of a sheared grid, nibabel does not.

    References
    ----------
    NIfTI-1 Data Format, nifti1.h, 2007: methods 2 (qform) and 3 (sform), NIFTI_TYPE_RGB24.

    Examples
    --------
    >>> import nibabel
    >>> nibabel.save(sk.open_volume("CT/").to_nifti(), "ct.nii.gz")  # doctest: +SKIP
    """
    nibabel = require_nibabel("to_nifti")
    volume.wait()
    array = volume.array
    if array.ndim == 4:
        if array.dtype != np.uint8 or array.shape[3] != 3:
            raise _core.UnsupportedError(
                f"'{volume.name}': colours of {array.shape[3]} x {array.dtype}; NIfTI has 3 x uint8"
            )
        array = array.view(np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))[..., 0]
    version = 2 if max(array.shape) > _LARGEST_NIFTI1 else 1
    kind, header_kind = (getattr(nibabel, f"Nifti{version}{part}") for part in ("Image", "Header"))
    geometry = volume.geometry
    header = header_kind()
    header.set_data_dtype(array.dtype)
    header.set_data_shape(array.T.shape)
    header.set_zooms([1.0 if s is None else s for s in geometry.spacing[::-1]])
    header.set_xyzt_units("mm")
    affine = geometry.affine_ras
    if affine is None or geometry.direction is None:
        return kind(array.T, None, header)
    affine = affine[:, [2, 1, 0, 3]]
    image = kind(array.T, affine, header)
    image.set_sform(affine, code=_SCANNER)
    right_angled = np.allclose(geometry.direction.T @ geometry.direction, np.eye(3), atol=1e-4)
    image.set_qform(affine if right_angled else None, code=_SCANNER if right_angled else 0)
    return image
