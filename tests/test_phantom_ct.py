"""CT of phantoms, films as DICOM, and films through CT."""

import shutil
import subprocess

import numpy as np
import pydicom
import pytest

import spinekit as sk
from spinekit.measurement.landmarks import BONES
from spinekit.phantom.dicom import write_film
from spinekit.phantom.film import Exposure, line_integrals
from spinekit.phantom.streaks import streaks

COARSE = (4.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def spine():
    return sk.phantom.Spine.random(seed=7)


@pytest.fixture(scope="module")
def ct(spine):
    return spine.ct(spacing=COARSE)


@pytest.fixture(scope="module")
def film(spine):
    return spine.radiograph(rows=200, columns=160, facing="right")


# ---- the volume


def place_of(ct, point):
    """Return the voxel in which a point (x, y, z) lies, by the affine alone."""
    index = np.linalg.inv(ct.geometry.affine_lps) @ np.array([*point, 1.0])
    return tuple(np.rint(index[:3]).astype(int))


def test_bones_are_where_the_model_has_them(spine):
    ct = spine.ct(spacing=(2.0, 1.5, 1.5))
    for number, surface in enumerate(spine.patient.measured(), 1):
        middle = ct.geometry.affine_lps @ np.append(np.argwhere(ct.labels == number).mean(0), 1.0)
        assert np.count_nonzero(ct.labels == number) * 4.5 == pytest.approx(surface.volume(), rel=0.015)
        # The middle of the solid: tetrahedra from the origin.
        corners = surface.vertices[surface.triangles]
        parts = np.linalg.det(corners) / 6
        expected = (parts[:, None] * corners.sum(1) / 4).sum(0) / parts.sum()
        np.testing.assert_allclose(middle[:3], expected, atol=0.25)


def test_tissues_have_their_numbers(spine, ct):
    inside = ct.array[ct.labels == 3]
    assert 180 < inside.mean() < 700  # spongiosa within a shell of cortex
    assert ct.array.max() > 500
    assert ct.array[:, 0, 0].mean() == pytest.approx(-1000, abs=15)
    names = {tissue.name for tissue in spine.tissues}
    assert len(names) > 20
    # Soft tissue in front of L3.
    middle = spine.patient.bodies[2].surface.vertices.mean(0)
    z, y, x = place_of(ct, middle - np.array([0, 38, 0]))
    assert -150 < np.median(ct.array[z - 1 : z + 2, y - 1 : y + 2, x - 2 : x + 3]) < 150


def test_the_same_seed_gives_the_same_ct_with_any_number_of_workers(ct):
    again = sk.phantom.Spine.random(seed=7).ct(spacing=COARSE, workers=1)
    np.testing.assert_array_equal(ct.array, again.array)
    np.testing.assert_array_equal(ct.labels, again.labels)


def test_tissues_and_noise_follow_from_the_seed(spine, ct):
    other = sk.phantom.Spine(spine.person, seed=8).ct(spacing=COARSE)
    assert other.shape != ct.shape or np.any(other.array != ct.array)
    # The bones are the person's.
    assert np.count_nonzero(other.labels) == pytest.approx(np.count_nonzero(ct.labels), rel=0.02)


def test_noise_has_the_spread_that_was_asked_for(spine):
    quiet = spine.ct(spacing=COARSE, noise=0).array.astype(float)
    noisy = spine.ct(spacing=COARSE, noise=30).array.astype(float)
    soft = (quiet > 20) & (quiet < 70)
    assert (noisy - quiet)[soft].std() == pytest.approx(30, rel=0.05)
    assert abs((noisy - quiet)[soft].mean()) < 1


def test_metal_is_cut_off_at_12_bits_and_streaks_only_where_it_is(spine):
    plain = spine.ct(spacing=COARSE, implants=True, noise=0)
    streaky = spine.ct(spacing=COARSE, implants=True, noise=0, metal_artefacts=True)
    assert plain.array.max() == 3071
    assert spine.ct(spacing=COARSE).array.max() < 3071
    heights = np.concatenate([tissue.surface.vertices[:, 2] for tissue in spine.implants])
    slices = (np.array([heights.min(), heights.max()]) - plain.geometry.origin[2]) / COARSE[0]
    change = (streaky.array.astype(int) - plain.array).reshape(len(plain.array), -1)
    touched = np.flatnonzero(np.any(change != 0, axis=1))
    assert slices[0] - 1 <= touched[0]
    assert touched[-1] <= slices[1] + 1
    # Shadows and bright stripes, in tissue.
    assert np.quantile(change[touched], 0.001) < -50
    assert np.quantile(change[touched], 0.999) > 50
    np.testing.assert_array_equal(plain.labels, streaky.labels)
    assert streaks(spine.tissues, None, seed=0, workers=1) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spacing": (0.0, 1.0, 1.0)}, "0.1 to 20 mm"),
        ({"spacing": (1.0, 1.0)}, "slice, row, column"),
        ({"spacing": (0.1, 0.3, 0.3)}, "choose larger ones"),
        ({"noise": -1.0}, "0 to 500 HU"),
        ({"workers": 0}, "at least 1"),
    ],
)
def test_refuses_what_makes_no_sense(spine, options, message):
    with pytest.raises(sk.ArgumentError, match=message):
        spine.ct(**options)


# ---- as DICOM


def test_the_written_series_is_the_ct(ct, tmp_path):
    paths = ct.write(tmp_path / "series")
    with sk.open_volume(tmp_path / "series") as volume:
        volume.wait()
        assert not volume.errors
        assert volume.warnings == []
        np.testing.assert_array_equal(volume.array, ct.array)
        np.testing.assert_allclose(volume.geometry.affine_lps, ct.geometry.affine_lps, atol=1e-9)
        assert volume.geometry.spacing == ct.geometry.spacing
        assert volume.geometry.regular
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.ReadImage([str(path) for path in paths])
    np.testing.assert_allclose(image.GetOrigin(), ct.geometry.origin, atol=1e-6)
    np.testing.assert_allclose(image.GetSpacing(), COARSE[::-1], atol=1e-6)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), ct.array)


def test_series_says_who_was_not_scanned_and_has_the_same_uids_again(ct, spine, tmp_path):
    first = ct.write(tmp_path / "a")
    second = spine.ct(spacing=COARSE).write(tmp_path / "b")
    assert first[5].read_bytes() == second[5].read_bytes()
    ds = pydicom.dcmread(first[5])
    assert ds.PatientName == "PHANTOM^SEED7"
    assert (ds.PatientSex, ds.RescaleIntercept, ds.RescaleType) == (spine.person.sex, -1024, "HU")
    assert ds.SOPInstanceUID.startswith("2.25.")
    assert len({pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in first}) == len(
        first
    )


def test_never_replaces_a_series_unasked(ct, tmp_path):
    small = sk.phantom.PhantomCT(ct.array[:2, :8, :8], ct.labels[:2, :8, :8], ct.geometry)
    small.write(tmp_path)
    with pytest.raises(sk.ArgumentError, match="exists; choose another folder"):
        small.write(tmp_path)
    small.write(tmp_path, overwrite=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(sk.ArgumentError, match="is a file"):
        small.write(tmp_path / "file")


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_film_as_dicom_has_its_pixels_and_sizes(film, tmp_path, photometric):
    path = write_film(film, tmp_path / "film.dcm", photometric, seed=7)
    ds = pydicom.dcmread(path)
    assert ds.SOPClassUID.name == "Digital X-Ray Image Storage - For Presentation"
    stored = sk.read_pixels(path).astype(int)
    expected = film.pixels.astype(int)
    np.testing.assert_array_equal(stored, expected if photometric == "MONOCHROME2" else 4095 - expected)
    assert ds.PresentationLUTShape == ("IDENTITY" if photometric == "MONOCHROME2" else "INVERSE")
    np.testing.assert_allclose([float(v) for v in ds.PixelSpacing], film.spacing, rtol=1e-8)
    assert ds.PixelSpacingCalibrationType == "GEOMETRY"
    # The detector lies behind the patient: similar triangles (PS3.3 10.7.1.3).
    enlarged = float(ds.DistanceSourceToDetector) / float(ds.DistanceSourceToPatient)
    assert float(ds.EstimatedRadiographicMagnificationFactor) == pytest.approx(enlarged)
    for detector, patient in zip(ds.ImagerPixelSpacing, ds.PixelSpacing, strict=True):
        assert float(detector) == pytest.approx(enlarged * float(patient))
    assert list(ds.PatientOrientation) == ["A", "F"]
    assert ds.AnatomicRegionSequence[0].CodeMeaning == "Lumbar spine"


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="needs dciodvfy (Debian's dicom3tools)")
def test_dicom_files_are_valid(ct, film, tmp_path):
    small = sk.phantom.PhantomCT(ct.array[:1], ct.labels[:1], ct.geometry)
    files = [*small.write(tmp_path), write_film(film, tmp_path / "film.dcm")]
    for file in files:
        run = subprocess.run(["dciodvfy", "-new", str(file)], capture_output=True, text=True)
        assert "Error" not in run.stdout + run.stderr
        assert "Warning" not in run.stdout + run.stderr


def test_film_as_dicom_refuses(film, tmp_path):
    path = write_film(film, tmp_path / "film.dcm")
    with pytest.raises(sk.ArgumentError, match="exists"):
        write_film(film, path)
    with pytest.raises(sk.ArgumentError, match="MONOCHROME3"):
        write_film(film, tmp_path / "b.dcm", "MONOCHROME3")
    with pytest.raises(sk.ArgumentError, match="no such folder"):
        write_film(film, tmp_path / "none" / "b.dcm")


# ---- films through CT


@pytest.fixture(scope="module")
def through(spine):
    """Return a phantom's CT without noise, to be compared with rays through its surfaces."""
    return sk.phantom.from_ct(spine.ct(spacing=(2.5, 1.5, 1.5), noise=0))


def test_rays_through_voxels_agree_with_rays_through_surfaces(spine, through):
    view = spine.view(rows=96, columns=80)
    voxels = through.line_integrals(view)
    surfaces = line_integrals(spine.tissues, view, np.random.default_rng(0), texture=0.0)
    seen = surfaces > 1
    assert np.abs(voxels - surfaces)[seen].mean() < 0.03 * surfaces[seen].mean()
    assert voxels[seen].mean() == pytest.approx(surfaces[seen].mean(), rel=0.02)


def test_masks_of_labels_agree_with_those_of_surfaces(spine, through):
    view = spine.view(rows=400)
    ours, expected = through.masks(view), spine.masks(view)
    dice = 2 * np.minimum(ours, expected).sum((1, 2)) / (ours + expected).sum((1, 2))
    assert dict(zip(BONES, dice > 0.95, strict=True)) == dict.fromkeys(BONES, True)


def test_film_of_a_ct_is_a_film(through):
    film = through.radiograph(rows=64, columns=48, exposure=Exposure(text=False, collimation=False), seed=3)
    assert film.pixels.dtype == np.uint16
    assert film.shape == (64, 48)
    assert film.view.spacing == film.spacing
    again = through.radiograph(
        view=film.view, exposure=Exposure(text=False, collimation=False), seed=3, workers=1
    )
    np.testing.assert_array_equal(film.pixels, again.pixels)


def test_arrays_with_an_affine_and_missing_bones():
    labels = np.zeros((20, 24, 28), np.uint8)
    labels[5:15, 8:16, 10:18] = 29  # L3
    hounsfield = np.where(labels == 29, 300, 0).astype(np.int16)
    # Slices run down, rows to the front, columns to the right: 3, 2 and 1.5 mm.
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = -3.0, 2.0, 1.5, 1.0
    scanned = sk.phantom.from_ct(hounsfield, labels, affine=affine)
    assert scanned.bones == ("L3",)
    view = scanned.view(rows=120, columns=120, source_to_detector=100000.0)
    masks = scanned.masks(view)
    assert not masks[[0, 1, 3, 4, 5, 6, 7]].any()
    # A box of 10 x 3 mm high and 8 x 2 mm deep, seen from far away; smoothing rounds its corners.
    area = masks[2].sum() * np.prod(view.spacing)
    assert area == pytest.approx(30 * 16, rel=0.04)
    rows, columns = np.nonzero(masks[2] > 0.5)
    assert np.ptp(rows) * view.spacing[0] == pytest.approx(30, abs=1.5 * view.spacing[0] + 0.5)
    assert np.ptp(columns) * view.spacing[1] == pytest.approx(16, abs=1.5 * view.spacing[1] + 0.5)


def test_from_ct_says_what_is_missing(ct, tmp_path):
    affine = np.eye(4)
    labels = np.zeros((4, 4, 4), np.uint8)
    volume = np.zeros((4, 4, 4), np.int16)
    with pytest.raises(sk.ArgumentError, match="needs its affine"):
        sk.phantom.from_ct(volume, labels)
    with pytest.raises(sk.ArgumentError, match="none of the bones is there; numbers found: 0"):
        sk.phantom.from_ct(volume, labels, affine=affine)
    with pytest.raises(sk.ArgumentError, match="fractions"):
        sk.phantom.from_ct(volume, labels + 0.5, affine=affine)
    with pytest.raises(sk.ArgumentError, match="singular"):
        sk.phantom.from_ct(volume, labels, affine=np.diag([1.0, 0, 1, 1]))
    with pytest.raises(sk.ArgumentError, match="expected the CT's"):
        sk.phantom.from_ct(ct, labels)
    with pytest.raises(sk.ArgumentError, match="T12"):
        sk.phantom.from_ct(ct, label_numbers={"T12": 32})
    with pytest.raises(sk.ArgumentError, match=r"labels: values down to -\d+, .* is it the CT itself"):
        sk.phantom.from_ct(ct, ct.array)
    with pytest.raises(sk.ArgumentError, match="expected those"):
        sk.phantom.from_ct(volume, affine=affine)
    labels[1:3, 1:3, 1:3] = 29
    with pytest.raises(sk.ArgumentError, match=r"voxels of 0\.001 x 1 x 1 mm.* is the affine in mm"):
        sk.phantom.from_ct(volume, labels, affine=np.diag([1, 1, 1e-3, 1])[:, [2, 1, 0, 3]])
    with pytest.raises(sk.ArgumentError, match="ct: values that are not finite"):
        sk.phantom.from_ct(np.full((4, 4, 4), np.nan, np.float32), labels, affine=affine)
    far = np.eye(4) + 1e4 * np.eye(4, k=3)
    with pytest.raises(sk.ArgumentError, match="every bone lies outside the CT"):
        sk.phantom.from_ct(ct, labels, affine=far, label_numbers={"L3": 29})
    with pytest.raises(sk.ResourceError, match=r"none\.nii"):
        sk.phantom.from_ct(tmp_path / "none.nii", labels)


def test_a_real_ct_gives_a_film_with_its_vertebrae(shared_data, tmp_path):
    pytest.importorskip("nibabel")
    folder = shared_data("ct_totalseg_lumbar_nifti")
    scanned = sk.phantom.from_ct(folder / "example_ct.nii.gz", folder / "example_seg_fast_force_split.nii.gz")
    assert scanned.bones == BONES[:6]
    film = scanned.radiograph(rows=160, seed=1)
    ds = pydicom.dcmread(write_film(film, tmp_path / "film.dcm"))
    assert "nobody was scanned" not in ds.PatientComments
    assert not any("phantom" in str(element.value).lower() for element in ds if element.VR in ("LO", "PN"))
    assert ds.PatientOrientationCodeSequence[0].CodeMeaning == "recumbent"
    masks = scanned.masks(film)
    rows, columns = np.mgrid[: film.shape[0], : film.shape[1]]
    heights = [np.average(rows, weights=mask) for mask in masks[:6]]
    assert heights == sorted(heights)
    # The patient looks to the left: the sacrum lies behind L4.
    assert np.average(columns, weights=masks[5]) > np.average(columns, weights=masks[3])
    assert not masks[6:].any()
