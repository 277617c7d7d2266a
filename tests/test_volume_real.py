"""Real series beside SimpleITK's reader: the same values and places, or a difference with its reason."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

import spinekit as sk

FOLDERS = [
    "ct_lidc0314_lower90",
    "ct_philips_headphantom_tilt",
    "ct_irregular_geometry",
    "dicom_codecs_wg04",
    "htj2k",
    "mr_compressed_multi",
    "us_xa_multiframe",
    "xray_dicom",
]


def series_of(folder):
    """Yield the files of each DICOM series below a folder, as GDCM sorts them."""
    for base in sorted({p.parent for p in Path(folder).rglob("*") if p.is_file()}):
        for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(base)):
            yield list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(base), uid))


@contextlib.contextmanager
def quiet():
    """Keep what ITK prints of old JPEGs out of the test's output."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def itk_reads(names):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    try:
        with quiet():
            return reader.Execute()
    except RuntimeError:
        return None


def without_copies(names):
    """Files of one SOPInstanceUID are one slice to us, several to ITK."""
    seen = set()
    kept = []
    for name in sorted(names):
        uid = pydicom.dcmread(name, stop_before_pixels=True, force=True).SOPInstanceUID
        if uid not in seen:
            seen.add(uid)
            kept.append(name)
    return [name for name in names if name in kept]


@pytest.mark.parametrize("name", FOLDERS)
def test_every_series_is_as_simpleitk_reads_it(shared_data, name):
    compared = 0
    for names in series_of(shared_data(name)):
        kept = without_copies(names)
        volume = sk.open_volume(kept)
        assert volume.wait()
        if len(kept) < len(names) and not _multiframe(volume):
            # GDCM sorts by position only where no two files have the same.
            kept = volume.files
        image = itk_reads(kept)
        if image is None:
            continue
        # Several frame counts or sizes in one series: ITK takes the first, or none.
        theirs = sitk.GetArrayFromImage(image)
        if theirs.ndim == volume.array.ndim + 1 and theirs.shape[0] == 1:
            theirs = theirs[0]
        assert theirs.shape == volume.shape
        assert not volume.errors
        if not _multiframe(volume):
            # Slices at one place are in the order of their names to us, in ITK's to it.
            theirs = theirs[[kept.index(file) for file in volume.files]]
        first = pydicom.dcmread(kept[0], stop_before_pixels=True, force=True)
        ours = volume.array.astype(np.float64)
        theirs = theirs.astype(np.float64)
        if first.PhotometricInterpretation == "MONOCHROME1":
            # ITK turns these round within the range of the stored bits; we keep the stored values.
            theirs = 2.0**first.BitsStored - 1 - theirs
        lossy = any("1.2.840.10008.1.2.4.5" in str(_syntax(n)) for n in kept)
        tolerance = 1 if lossy else 1e-6 * np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
        _check_places(volume, image)
        compared += 1
    assert compared


def _syntax(name):
    return pydicom.dcmread(name, stop_before_pixels=True, force=True).file_meta.TransferSyntaxUID


def _check_places(volume, image):
    geometry = volume.geometry
    spacing = image.GetSpacing()
    # What headers do not say is 1 to ITK, None to us; so is the step of a single slice.
    for ours, theirs in zip(geometry.spacing[1:], (spacing[1], spacing[0]), strict=True):
        assert ours is None or ours == pytest.approx(theirs, rel=1e-6)
    if geometry.origin is None:
        return
    np.testing.assert_allclose(geometry.origin, image.GetOrigin()[:3], atol=1e-4)
    if image.GetDimension() != 3 or volume.shape[0] < 2:
        return
    # ITK shares the whole way out evenly: with a gap that is another step.
    if not geometry.gaps and not geometry.duplicates:
        assert geometry.spacing[0] == pytest.approx(spacing[2], rel=1e-3)
    theirs = np.array(image.GetDirection()).reshape(3, 3)[:, ::-1]
    np.testing.assert_allclose(geometry.direction[:, 1:], theirs[:, 1:], atol=1e-6)
    # ITK's third axis is the normal, also where the gantry was tilted and slices do not follow it.
    cosine = float(geometry.direction[:, 0] @ theirs[:, 0])
    assert cosine == pytest.approx(np.cos(np.radians(geometry.tilt)), abs=1e-6)
    positions = [geometry.affine_lps @ [k, 0, 0, 1] for k in (0, volume.shape[0] - 1)]
    last = (
        pydicom.dcmread(volume.files[-1], stop_before_pixels=True, force=True)
        if not _multiframe(volume)
        else None
    )
    if last is not None and geometry.regular:
        np.testing.assert_allclose(positions[1][:3], last.ImagePositionPatient, atol=1e-3)


def _multiframe(volume):
    return any(", frame " in name for name in volume.files)


def test_a_cine_is_read_frame_by_frame(shared_data):
    for path in sorted(shared_data("us_xa_multiframe").rglob("*")):
        if not path.is_file():
            continue
        try:
            volume = sk.open_volume(path, load="on-demand")
            count = len(volume)
        except sk.SpinekitError:
            continue
        whole = sk.open_volume(path)
        whole.wait()
        for k in {0, count // 2, count - 1}:
            if k not in whole.errors:
                np.testing.assert_array_equal(volume.read_slice(k), whole.array[k])
