"""Volumes in SimpleITK, VTK, nibabel and DLPack: values and places are those of other readers."""

import gc

import numpy as np
import pytest

import spinekit as sk
from conftest import body_picture, make_dataset, save

sitk = pytest.importorskip("SimpleITK")
nibabel = pytest.importorskip("nibabel")
sitk.ProcessObject.SetGlobalWarningDisplay(False)

#: Turned about two axes, and its slices sheared by a tilted gantry.
ORIENTATION = [0.96, 0.28, 0.0, -0.168, 0.576, 0.8]
NORMAL = np.cross(ORIENTATION[:3], ORIENTATION[3:])


def write_folder(folder, *, shear=0.0, count=6, orientation=ORIENTATION, **attributes):
    """Write slices of 40 x 56, 2.5 mm apart along the normal, each also moved along its columns."""
    folder.mkdir()
    for k in range(count):
        normal = np.cross(orientation[:3], orientation[3:])
        position = np.array([-30.0, 12.5, 801.25]) + 2.5 * k * normal + shear * k * np.array(orientation[3:])
        ds = make_dataset(
            body_picture(40, 56, seed=k),
            bits_stored=12,
            InstanceNumber=k + 1,
            ImagePositionPatient=[round(float(p), 6) for p in position],
            ImageOrientationPatient=list(orientation),
            PixelSpacing=["0.75", "0.5"],
            **attributes,
        )
        save(ds, folder / f"{k}.dcm")
    return folder


def corners(size):
    last = [n - 1 for n in size]
    return [(0, 0, 0), (last[0], 0, 0), (0, last[1], 0), (0, 0, last[2]), tuple(last)]


def same_places(image, other, tolerance=1e-2):
    assert image.GetSize() == other.GetSize()
    for index in corners(image.GetSize()):
        np.testing.assert_allclose(
            image.TransformIndexToPhysicalPoint(index),
            other.TransformIndexToPhysicalPoint(index),
            atol=tolerance,
        )


def by_series_reader(folder, uid):
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    return reader.Execute()


def chosen_uid(volume):
    return next(series.uid for series in volume.series if series.chosen)


# ---- SimpleITK


def test_real_series_is_as_simpleitks_own_reader_gives_it(shared_data):
    folder = shared_data("ct_lidc0314_lower90")
    volume = sk.open_volume(folder)
    ours = volume.to_sitk()
    theirs = by_series_reader(folder, chosen_uid(volume))
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(ours), sitk.GetArrayViewFromImage(theirs))
    same_places(ours, theirs)


def test_made_series_is_as_simpleitks_own_reader_gives_it(tmp_path):
    folder = write_folder(tmp_path / "in")
    volume = sk.open_volume(folder)
    ours, theirs = volume.to_sitk(), by_series_reader(folder, chosen_uid(volume))
    assert ours.GetPixelID() == sitk.sitkInt16
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(ours), sitk.GetArrayViewFromImage(theirs))
    same_places(ours, theirs, 1e-4)


def same_as_single_files(volume, tolerance):
    """Compare with each slice read alone: SimpleITK's series reader takes the normal for the slice axis."""
    image = volume.to_sitk()
    columns, rows, _ = image.GetSize()
    for k, path in enumerate(volume.files):
        theirs = sitk.ReadImage(path)
        np.testing.assert_array_equal(
            sitk.GetArrayViewFromImage(image)[k], np.squeeze(sitk.GetArrayViewFromImage(theirs))
        )
        for i, j in ((0, 0), (columns - 1, 0), (0, rows - 1), (columns - 1, rows - 1)):
            np.testing.assert_allclose(
                image.TransformIndexToPhysicalPoint((i, j, k)),
                theirs.TransformIndexToPhysicalPoint((i, j, 0)),
                atol=tolerance,
            )


def test_tilted_gantry_puts_every_slice_where_it_was(shared_data, tmp_path):
    same_as_single_files(sk.open_volume(shared_data("ct_philips_headphantom_tilt")), 1e-2)
    volume = sk.open_volume(write_folder(tmp_path / "in", shear=0.9))
    same_as_single_files(volume, 1e-4)
    image = volume.to_sitk()
    way = 2.5 * NORMAL + 0.9 * np.array(ORIENTATION[3:])
    third = np.array(image.GetDirection()).reshape(3, 3)[:, 2]
    np.testing.assert_allclose(third, way / np.linalg.norm(way), atol=1e-6)
    assert image.GetSpacing() == pytest.approx((0.5, 0.75, np.linalg.norm(way)), abs=1e-5)


@pytest.mark.parametrize("series", ["generic_compressed_rle", "generic_compressed_jpegls"])
def test_real_mr_series(shared_data, series):
    folder = shared_data("mr_compressed_multi")
    volume = sk.open_volume(sorted(folder.glob(f"{series}*.dcm")))
    same_as_single_files(volume, 1e-2)


def test_to_sitk_is_a_copy(ct_folder):
    volume = sk.open_volume(ct_folder)
    image = volume.to_sitk()
    before = sitk.GetArrayFromImage(image)
    volume.array[:] = 7
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image), before)


def colour_folder(folder):
    folder.mkdir()
    for k in range(3):
        pixels = np.random.default_rng(k).integers(0, 256, (20, 24, 3), np.uint8)
        ds = make_dataset(pixels, Modality="US", InstanceNumber=k, ImagePositionPatient=[0, 0, float(k)])
        save(ds, folder / f"{k}.dcm")
    return folder


def test_colours(tmp_path):
    volume = sk.open_volume(colour_folder(tmp_path / "in"))
    image = volume.to_sitk()
    assert (image.GetNumberOfComponentsPerPixel(), image.GetSize()) == (3, (24, 20, 3))
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image), volume.array)
    rgb = volume.to_nifti()
    assert rgb.shape == (24, 20, 3)
    nibabel.save(rgb, tmp_path / "a.nii")
    stored = np.asarray(nibabel.load(tmp_path / "a.nii").dataobj)
    assert stored.dtype.names == ("R", "G", "B")
    for channel, name in enumerate("RGB"):
        np.testing.assert_array_equal(stored[name].T, volume.array[..., channel])
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.nii"))), volume.array
    )
    np.testing.assert_array_equal(sk.open_volume(tmp_path / "a.nii").to_sitk()[3, 4, 1], image[3, 4, 1])


def test_unknown_geometry_becomes_the_usual_grid(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(3):
        ds = make_dataset(body_picture(20, 24, seed=k), bits_stored=12, InstanceNumber=k)
        del ds.ImagePositionPatient
        save(ds, folder / f"{k}.dcm")
    volume = sk.open_volume(folder)
    image = volume.to_sitk()
    assert image.GetOrigin() == (0, 0, 0)
    assert image.GetSpacing() == pytest.approx((0.661468, 0.661468, 1))
    nifti = volume.to_nifti()
    assert int(nifti.header["sform_code"]) == int(nifti.header["qform_code"]) == 0
    assert nifti.header.get_zooms() == pytest.approx((0.661468, 0.661468, 1))


# ---- NIfTI


def test_nifti_is_a_view_with_the_right_affine(tmp_path):
    volume = sk.open_volume(write_folder(tmp_path / "in"))
    image = volume.to_nifti()
    assert image.get_data_dtype() == np.int16
    assert np.shares_memory(np.asanyarray(image.dataobj), volume.array)
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"
    points = volume.to_sitk()
    for index in corners(image.shape):
        lps = points.TransformIndexToPhysicalPoint(tuple(int(i) for i in index))
        np.testing.assert_allclose(
            nibabel.affines.apply_affine(image.affine, index), np.array(lps) * [-1, -1, 1], atol=1e-4
        )


def test_nifti_files_of_both_libraries_are_the_same(tmp_path):
    volume = sk.open_volume(write_folder(tmp_path / "in"))
    ours, theirs = tmp_path / "ours.nii.gz", tmp_path / "theirs.nii.gz"
    nibabel.save(volume.to_nifti(), ours)
    sitk.WriteImage(volume.to_sitk(), str(theirs))
    one, other = nibabel.load(ours), nibabel.load(theirs)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asanyarray(one.dataobj), np.asanyarray(other.dataobj))
    assert one.get_data_dtype() == other.get_data_dtype() == np.int16
    back = sitk.ReadImage(str(ours))
    same_places(back, volume.to_sitk(), 1e-3)
    again = sk.open_volume(ours)
    again.wait()
    np.testing.assert_array_equal(again.array, volume.array)
    np.testing.assert_allclose(again.geometry.affine_lps, volume.geometry.affine_lps, atol=1e-3)


def test_sheared_grid_keeps_its_affine_in_files(shared_data, tmp_path):
    volume = sk.open_volume(shared_data("ct_philips_headphantom_tilt"))
    image = volume.to_nifti()
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 0)
    nibabel.save(image, tmp_path / "a.nii")
    expected = volume.geometry.affine_ras[:, [2, 1, 0, 3]]
    np.testing.assert_allclose(nibabel.load(tmp_path / "a.nii").affine, expected, atol=1e-3)
    again = sk.open_volume(tmp_path / "a.nii")
    again.wait()
    np.testing.assert_array_equal(again.array, volume.array)
    np.testing.assert_allclose(again.geometry.affine_ras, volume.geometry.affine_ras, atol=1e-3)
    assert again.geometry.tilt == pytest.approx(16.5, abs=1e-3)


def test_float32_volumes(tmp_path):
    folder = write_folder(tmp_path / "in", RescaleSlope="0.5", RescaleIntercept="0.25")
    volume = sk.open_volume(folder)
    assert volume.dtype == np.float32
    assert volume.to_sitk().GetPixelID() == sitk.sitkFloat32
    nibabel.save(volume.to_nifti(), tmp_path / "a.nii")
    np.testing.assert_array_equal(nibabel.load(tmp_path / "a.nii").get_fdata().T, volume.array)


# ---- VTK


def test_vtk_shows_the_same_memory_while_it_fills(tmp_path):
    pytest.importorskip("vtk")
    numpy_support = pytest.importorskip("vtkmodules.util.numpy_support")
    volume = sk.open_volume(write_folder(tmp_path / "in", shear=0.9))
    image = volume.to_vtk()
    times = []
    volume.listen(lambda index: times.append(image.GetMTime()))
    before = image.GetMTime()
    assert volume.wait()
    assert len(times) == len(volume)
    assert all(later > earlier for earlier, later in zip([before, *times], times, strict=False))
    scalars = image.GetPointData().GetScalars()
    assert np.shares_memory(numpy_support.vtk_to_numpy(scalars), volume.array)
    assert image.GetDimensions() == (56, 40, 6)
    assert image.GetScalarComponentAsDouble(10, 20, 3, 0) == volume.array[3, 20, 10]
    peer = volume.to_sitk()
    for index in corners(image.GetDimensions()):
        point = [0.0] * 3
        image.TransformIndexToPhysicalPoint(index, point)
        np.testing.assert_allclose(point, peer.TransformIndexToPhysicalPoint(index), atol=1e-4)


def test_vtk_image_outlives_its_volume(ct_folder):
    pytest.importorskip("vtk")
    volume = sk.open_volume(ct_folder)
    image = volume.to_vtk()
    volume.wait()
    expected = int(volume.array[5, 100, 100])
    del volume
    gc.collect()
    assert image.GetScalarComponentAsDouble(100, 100, 5, 0) == expected


def test_vtk_scalars_outlive_image_and_volume(ct_folder):
    pytest.importorskip("vtk")
    numpy_support = pytest.importorskip("vtkmodules.util.numpy_support")
    volume = sk.open_volume(ct_folder)
    volume.wait()
    expected = volume.array.copy()
    scalars = volume.to_vtk().GetPointData().GetScalars()
    del volume
    gc.collect()
    np.testing.assert_array_equal(numpy_support.vtk_to_numpy(scalars), expected.ravel())


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]
)
def test_vtk_takes_every_dtype_as_it_is(dtype):
    pytest.importorskip("vtk")
    numpy_support = pytest.importorskip("vtkmodules.util.numpy_support")
    data = np.arange(60).reshape(3, 4, 5).astype(dtype)
    volume = sk.open_volume(nibabel.Nifti1Image(data, np.eye(4)))
    volume.wait()
    scalars = numpy_support.vtk_to_numpy(volume.to_vtk().GetPointData().GetScalars())
    assert np.shares_memory(scalars, volume.array)
    np.testing.assert_array_equal(scalars, data.T.ravel())


def test_vtk_takes_colours(tmp_path):
    pytest.importorskip("vtk")
    volume = sk.open_volume(colour_folder(tmp_path / "in"))
    image = volume.to_vtk()
    volume.wait()
    assert image.GetNumberOfScalarComponents() == 3
    assert [image.GetScalarComponentAsDouble(7, 11, 2, c) for c in range(3)] == list(volume.array[2, 11, 7])


# ---- arrays


def test_array_and_dlpack_share_the_memory(ct_folder):
    volume = sk.open_volume(ct_folder)
    volume.wait()
    assert np.shares_memory(np.asarray(volume), volume.array)
    assert np.shares_memory(np.from_dlpack(volume), volume.array)
    assert not np.shares_memory(np.array(volume), volume.array)
    assert np.asarray(volume, dtype=np.float32).dtype == np.float32


def test_torch_takes_the_memory(ct_folder):
    torch = pytest.importorskip("torch")
    volume = sk.open_volume(ct_folder)
    volume.wait()
    tensor = torch.from_dlpack(volume)
    assert (tuple(tensor.shape), tensor.dtype) == (volume.shape, torch.int16)
    assert tensor.data_ptr() == volume.array.ctypes.data


# ---- what is missing


@pytest.mark.parametrize(
    ("method", "module", "remedy"),
    [
        ("to_sitk", "SimpleITK", "pip install SimpleITK"),
        ("to_vtk", "vtkmodules.util", r"spinekit\[vtk\]"),
        ("to_nifti", "nibabel", r"spinekit\[nifti\]"),
    ],
)
def test_missing_library_is_named_with_its_remedy(ct_folder, monkeypatch, method, module, remedy):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    volume = sk.open_volume(ct_folder)
    with pytest.raises(sk.UnsupportedError, match=remedy):
        getattr(volume, method)()


@pytest.mark.parametrize("method", ["to_sitk", "to_vtk", "to_nifti"])
def test_volumes_on_demand_have_nothing_to_hand_over(ct_folder, method):
    if method == "to_vtk":
        pytest.importorskip("vtk")
    volume = sk.open_volume(ct_folder, load="on-demand")
    with pytest.raises(sk.ArgumentError, match="on-demand"):
        getattr(volume, method)()
