"""NIfTI files and nibabel images as volumes: nibabel and SimpleITK say what must come out."""

import gzip
import threading
import time

import numpy as np
import pytest

import spinekit as sk

nibabel = pytest.importorskip("nibabel")
sitk = pytest.importorskip("SimpleITK")

#: 3 mm, turned about two axes, somewhere in the body; RAS.
OBLIQUE = np.array(
    [
        [-2.88, -0.52, 0.66, 91.0],
        [0.60, -2.90, 0.30, -14.5],
        [0.585, 0.42, 2.91, 702.25],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
AXES = {
    "RAS": np.diag([0.5, 0.75, 2.0, 1.0]),
    "LPS": np.diag([-0.5, -0.75, 2.0, 1.0]),
    "PIR": np.array([[0, 0, 2.0, -5], [-0.5, 0, 0, 6], [0, -0.75, 0, 7], [0, 0, 0, 1]]),
    "oblique": OBLIQUE,
}
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


def voxels(dtype="int16", shape=(9, 7, 5), seed=3):
    """Return an array with axes (i, j, k)."""
    random = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return random.normal(0, 100, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def orthonormal(affine):
    """Return the nearest affine of a grid with right angles, which ITK insists on."""
    u, _, v = np.linalg.svd(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    out = affine.copy()
    out[:3, :3] = (u @ v) * np.linalg.norm(affine[:3, :3], axis=0)
    return out


def write(path, data, affine=OBLIQUE, kind=nibabel.Nifti1Image, **scaling):
    image = kind(data, affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine if np.allclose(affine, orthonormal(affine)) else None, code=1)
    if scaling:
        image.header.set_slope_inter(**scaling)
    nibabel.save(image, path)
    return path


def rescaled_file(path, stored, slope, inter):
    """Write stored values and a rescale as they are: nibabel's own images choose their rescale."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(stored.dtype)
    header.set_data_shape(stored.shape)
    header.set_sform(OBLIQUE, code=1)
    header["magic"], header["vox_offset"] = b"n+1", 352
    header["scl_slope"], header["scl_inter"] = slope, inter
    path.write_bytes(header.binaryblock + bytes(4) + stored.tobytes(order="F"))
    return path


def opened(source, **wishes):
    volume = sk.open_volume(source, **wishes)
    assert volume.wait(30)
    return volume


def check_against_nibabel(volume, image, points=20):
    """Values and places of voxels; the affine is nibabel's in (slice, row, column), so reversed."""
    theirs = np.asanyarray(image.dataobj)
    assert volume.shape == theirs.shape[::-1]
    np.testing.assert_array_equal(volume.array, theirs.T)
    random = np.random.default_rng(0)
    for _ in range(points):
        k, j, i = (int(random.integers(0, n)) for n in volume.shape)
        np.testing.assert_allclose(
            (volume.geometry.affine_ras @ [k, j, i, 1])[:3],
            nibabel.affines.apply_affine(image.affine, [i, j, k]),
            atol=1e-3,
        )


def check_against_sitk(volume, path):
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    columns, rows, slices = image.GetSize()
    for corner in ((0, 0, 0), (columns - 1, 0, 0), (0, rows - 1, 0), (0, 0, slices - 1)):
        np.testing.assert_allclose(
            (volume.geometry.affine_lps @ [*corner[::-1], 1])[:3],
            image.TransformIndexToPhysicalPoint(corner),
            atol=1e-3,
        )


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", ["example_ct.nii.gz", "example_seg_fast_force_split.nii.gz"])
def test_real_files_are_as_nibabel_and_simpleitk_read_them(shared_data, name):
    path = shared_data("ct_totalseg_lumbar_nifti") / name
    volume = opened(path)
    image = nibabel.load(path)
    assert volume.dtype == image.get_data_dtype()
    check_against_nibabel(volume, image)
    check_against_sitk(volume, path)
    assert volume.modality == ""
    assert not volume.errors


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_stay_as_they_are(tmp_path, dtype, suffix):
    path = write(tmp_path / f"a{suffix}", voxels(dtype), orthonormal(OBLIQUE))
    volume = opened(path)
    assert volume.dtype == np.dtype(dtype)
    check_against_nibabel(volume, nibabel.load(path))
    check_against_sitk(volume, path)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("axes", AXES)
def test_orientations(tmp_path, axes, kind):
    path = write(tmp_path / "a.nii", voxels(), orthonormal(AXES[axes]), kind)
    volume = opened(path)
    check_against_nibabel(volume, nibabel.load(path))
    if kind is nibabel.Nifti1Image:
        check_against_sitk(volume, path)
    direction = volume.geometry.direction
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(
        volume.geometry.spacing, np.linalg.norm(orthonormal(AXES[axes])[:3, 2::-1], axis=0), rtol=1e-5
    )


def test_big_endian_file(tmp_path):
    image = nibabel.Nifti1Image(voxels(), OBLIQUE, nibabel.Nifti1Header(endianness=">"))
    path = tmp_path / "big.nii"
    nibabel.save(image, path)
    assert path.read_bytes()[:4] == (348).to_bytes(4, "big")
    check_against_nibabel(opened(path), image)


def test_sheared_affine_stays_true(tmp_path):
    sheared = np.array([[-1.0, 0, 0, 5], [0, -1.0, 0.9, 6], [0, 0, 2.5, 7], [0, 0, 0, 1]])
    path = write(tmp_path / "a.nii", voxels(), sheared)
    volume = opened(path)
    check_against_nibabel(volume, nibabel.load(path))
    assert volume.geometry.tilt == pytest.approx(np.degrees(np.arctan(0.9 / 2.5)), abs=1e-3)
    assert any("sheared by 19.8 degrees" in warning for warning in volume.warnings)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_rescaled_values_are_float32(tmp_path, suffix):
    plain = rescaled_file(tmp_path / "plain.nii", voxels(), 0.3, -1024.0)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(plain.read_bytes()) if suffix == ".nii.gz" else plain.read_bytes())
    volume = opened(path)
    assert volume.dtype == np.float32
    np.testing.assert_allclose(volume.array, nibabel.load(path).get_fdata().T, rtol=1e-6)
    np.testing.assert_allclose(volume.read_slice(2), nibabel.load(path).get_fdata().T[2], rtol=1e-6)


def test_zero_slope_is_no_rescale(tmp_path):
    path = rescaled_file(tmp_path / "a.nii", voxels(), 0.0, 17.0)
    assert opened(path).dtype == np.int16
    check_against_nibabel(opened(path), nibabel.load(path))


def test_dtype_that_was_wished_for(tmp_path):
    path = rescaled_file(tmp_path / "a.nii", voxels(), 2.0, -1.0)
    volume = opened(path, dtype="int32")
    np.testing.assert_array_equal(volume.array, nibabel.load(path).get_fdata().T)
    narrow = opened(path, dtype="int8")
    assert sorted(narrow.errors) == [0, 1, 2, 3, 4]
    assert "do not fit the volume's int8" in str(narrow.errors[0])
    assert not narrow.array.any()


@pytest.mark.parametrize(("stored", "held"), [("int64", "int32"), ("uint64", "uint32")])
def test_64_bit_integers_are_narrowed_where_that_is_exact(tmp_path, stored, held):
    data = voxels("int16").astype(stored) if stored == "int64" else voxels("uint16").astype(stored)
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(data, OBLIQUE, dtype=data.dtype), path)
    volume = opened(path)
    assert volume.dtype == np.dtype(held)
    np.testing.assert_array_equal(volume.array, data.T)
    data[3, 3, 2] = 2**40
    nibabel.save(nibabel.Nifti1Image(data, OBLIQUE, dtype=data.dtype), path)
    broken = opened(path)
    assert list(broken.errors) == [2]
    assert "dtype='float64'" in str(broken.errors[2])
    np.testing.assert_array_equal(opened(path, dtype="float64").array, data.T)


def test_complex_voxels_are_an_error(tmp_path):
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(voxels("float32").astype(np.complex64), OBLIQUE), path)
    with pytest.raises(sk.UnsupportedError, match="voxels of dtype complex64"):
        opened(path)


def test_colours(tmp_path):
    rgb = voxels("uint8", (9, 7, 5, 3)).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(rgb, OBLIQUE), path)
    for source in (path, nibabel.Nifti1Image(rgb, OBLIQUE)):
        volume = opened(source)
        assert volume.shape == (5, 7, 9, 3)
        for channel, name in enumerate("RGB"):
            np.testing.assert_array_equal(volume.array[..., channel], rgb[name].T)


def test_several_volumes_must_be_chosen_from(tmp_path):
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(voxels(shape=(9, 7, 5, 4)), OBLIQUE), path)
    with pytest.raises(sk.ArgumentError, match=r"9 x 7 x 5 x 4 has more than one volume.*slicer"):
        opened(path)
    one = nibabel.load(path).slicer[..., 1]
    check_against_nibabel(opened(one), one)


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 5, 1), (9, 7, 5, 1, 1)])
def test_flat_images_and_axes_of_length_1(tmp_path, shape):
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(voxels(shape=shape), OBLIQUE), path)
    for source in (path, nibabel.load(path), nibabel.Nifti1Image(voxels(shape=shape), OBLIQUE)):
        volume = opened(source)
        expected = voxels(shape=shape).reshape((*shape, 1, 1)[:3]).T
        np.testing.assert_array_equal(volume.array, expected)


def test_units_are_brought_to_mm(tmp_path):
    image = nibabel.Nifti1Image(voxels(), np.diag([5e-4, 5e-4, 2e-3, 1]))
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "a.nii")
    volume = opened(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.geometry.spacing, (2.0, 0.5, 0.5), rtol=1e-6)
    check_against_sitk(volume, tmp_path / "a.nii")


def test_file_without_orientation_says_so(tmp_path):
    image = nibabel.Nifti1Image(voxels(), None)
    nibabel.save(image, tmp_path / "a.nii")
    assert any("no orientation" in warning for warning in opened(tmp_path / "a.nii").warnings)


@pytest.mark.parametrize("affine", [None, np.diag([1.0, 0, 1, 1]), np.diag([1.0, np.nan, 1, 1])])
def test_affine_that_says_nothing_is_told(affine):
    volume = opened(nibabel.spatialimages.SpatialImage(voxels(), affine))
    assert volume.geometry.origin is None
    assert volume.geometry.affine is None
    assert any("is not known" in warning for warning in volume.warnings)


def test_nibabel_images_in_memory_and_in_files(tmp_path):
    data = voxels("float32")
    check_against_nibabel(opened(nibabel.Nifti1Image(data, OBLIQUE)), nibabel.Nifti1Image(data, OBLIQUE))
    for name in ("a.nii", "a.nii.gz"):
        write(tmp_path / name, data)
        check_against_nibabel(opened(nibabel.load(tmp_path / name)), nibabel.load(tmp_path / name))
    stream = nibabel.Nifti1Image.from_bytes((tmp_path / "a.nii").read_bytes())
    check_against_nibabel(opened(stream), stream)
    other = nibabel.MGHImage(data, OBLIQUE)
    nibabel.save(other, tmp_path / "a.mgz")
    check_against_nibabel(opened(nibabel.load(tmp_path / "a.mgz")), other)


def test_order_and_priority_of_files_that_can_seek(tmp_path):
    path = write(tmp_path / "a.nii", voxels(shape=(4, 4, 9)))
    assert list(sk.open_volume(path)) == sk.slice_order(9)
    assert list(sk.open_volume(path, order="sequential")) == list(range(9))


def test_priority_is_honoured(tmp_path):
    entered, go = threading.Event(), threading.Event()

    class Slow(np.ndarray):
        """An array whose first slice takes until the test has said what it wants."""

        def __getitem__(self, place):
            entered.set()
            go.wait(10)
            return np.full((2, 2), place[2], np.int16)

    image = nibabel.Nifti1Image(np.zeros((2, 2, 40), np.int16).view(Slow), np.eye(4))
    volume = sk.open_volume(image, order="sequential")
    assert entered.wait(10)
    volume.prioritise(30)
    go.set()
    assert list(volume)[:6] == [0, 30, 29, 31, 28, 32]
    np.testing.assert_array_equal(volume.array[:, 0, 0], range(40))


def test_gzip_files_are_read_forward(tmp_path):
    path = write(tmp_path / "a.nii.gz", voxels(shape=(4, 4, 9)))
    volume = sk.open_volume(path)
    volume.prioritise(7)
    assert list(volume) == list(range(9))
    assert volume.order == list(range(9))


def test_gzip_is_inflated_once(tmp_path, monkeypatch):
    path = write(tmp_path / "a.nii.gz", voxels(shape=(64, 64, 40)))
    rewound = []
    monkeypatch.setattr(gzip.GzipFile, "rewind", rewound.append)
    opened(path)
    assert not rewound


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_on_demand(tmp_path, suffix):
    data = voxels()
    path = write(tmp_path / f"a{suffix}", data)
    volume = opened(path, load="on-demand")
    for k in (3, 0, 4, 4):
        np.testing.assert_array_equal(volume.read_slice(k), data.T[k])
    with pytest.raises(sk.ArgumentError, match="on-demand"):
        _ = volume.array


def test_names_do_not_decide_about_compression(tmp_path):
    data = voxels()
    write(tmp_path / "a.nii.gz", data).rename(tmp_path / "b.nii")
    write(tmp_path / "a.nii", data).rename(tmp_path / "c.nii.gz")
    for name in ("b.nii", "c.nii.gz"):
        np.testing.assert_array_equal(opened(tmp_path / name).array, data.T)


# ---- damage


def test_truncated_file_keeps_the_slices_that_are_whole(tmp_path):
    data = voxels()
    path = write(tmp_path / "a.nii", data)
    path.write_bytes(path.read_bytes()[: 352 + 3 * 126 + 40])
    volume = opened(path)
    assert sorted(volume.errors) == [3, 4]
    assert isinstance(volume.errors[3], sk.MalformedDataError)
    assert "ends within slice 3 of 5: 40 of its 126 bytes" in str(volume.errors[3])
    np.testing.assert_array_equal(volume.array[:3], data.T[:3])
    assert not volume.array[3:].any()
    assert volume.loaded.tolist() == [True, True, True, False, False]


def test_truncated_gzip_keeps_the_slices_that_are_whole(tmp_path):
    data = voxels(shape=(64, 64, 40))
    path = write(tmp_path / "a.nii.gz", data)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    volume = opened(path)
    loaded = int(volume.loaded.sum())
    assert 15 < loaded < 25
    assert sorted(volume.errors) == list(range(loaded, 40))
    assert "truncated or damaged" in str(volume.errors[loaded])
    np.testing.assert_array_equal(volume.array[:loaded], data.T[:loaded])
    np.testing.assert_array_equal(volume.read_slice(0), data.T[0])
    with pytest.raises(sk.MalformedDataError):
        volume.read_slice(39)


def test_gzip_whose_checksum_is_wrong_says_so(tmp_path):
    path = write(tmp_path / "a.nii.gz", voxels())
    damaged = bytearray(path.read_bytes())
    damaged[-8] ^= 1
    path.write_bytes(damaged)
    volume = opened(path)
    assert volume.loaded.all()
    assert list(volume.errors) == [str(path)]
    assert "may be wrong" in str(volume.errors[str(path)])


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", b"text", b"\x5c\x01\x00\x00" * 200, bytes(400)])
def test_what_is_no_nifti(tmp_path, content):
    path = tmp_path / "a.nii"
    path.write_bytes(content)
    with pytest.raises(sk.MalformedDataError, match=r"a\.nii"):
        opened(path)


def test_header_that_claims_more_than_there_is_memory(tmp_path):
    path = write(tmp_path / "a.nii", voxels())
    damaged = bytearray(path.read_bytes())
    damaged[42:48] = np.array([32767] * 3, "<i2").tobytes()
    path.write_bytes(damaged)
    with pytest.raises(sk.ResourceError, match="GiB"):
        opened(path)


def test_series_cannot_be_chosen(tmp_path):
    path = write(tmp_path / "a.nii", voxels())
    with pytest.raises(sk.ArgumentError, match="has no series"):
        opened(path, series="1.2.3")


def test_cancelling_ends_within_a_slice(tmp_path):
    class Endless:
        shape, dtype = (2, 2, 30_000), np.dtype("int16")

        def __getitem__(self, place):
            time.sleep(0.01)
            return np.zeros((2, 2), np.int16)

    volume = sk.open_volume(nibabel.Nifti1Image(Endless(), np.eye(4), dtype="int16"))
    volume.cancel()
    started = time.monotonic()
    volume.close()
    assert time.monotonic() - started < 1
    assert volume.finished
