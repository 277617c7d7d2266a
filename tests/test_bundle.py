"""Bundles: order, manifest, geometry; and the orders themselves."""

import json
import zipfile

import numpy as np
import pydicom
import pytest

import spinekit as sk
from conftest import body_picture, make_dataset, save


def series(folder, count=9, step=(0.0, 0.0, 2.5), shuffle=True, **attributes):
    folder.mkdir()
    names = np.random.default_rng(3).permutation(count) if shuffle else range(count)
    for k in range(count):
        ds = make_dataset(
            body_picture(64, 48, seed=k),
            bits_stored=12,
            InstanceNumber=k + 1,
            ImagePositionPatient=[-100 + step[0] * k, -90 + step[1] * k, step[2] * k],
            **attributes,
        )
        save(ds, folder / f"{names[k]:03d}.dcm")
    return folder


def test_first_entry_is_the_manifest_and_slices_come_middle_out(tmp_path):
    made = sk.bundle(series(tmp_path / "s"), tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        infos = archive.infolist()
        assert infos[0].filename == "spinekit.json"
        manifest = json.loads(archive.read(infos[0]))
        assert {i.compress_type for i in infos} == {zipfile.ZIP_STORED}
        z = [float(pydicom.dcmread(archive.open(i)).ImagePositionPatient[2]) / 2.5 for i in infos[1:]]
    assert z == [4, 3, 5, 2, 6, 1, 7, 0, 8]
    assert [e["name"] for e in manifest["entries"]] == [i.filename for i in infos[1:]]
    assert [e["index"] for e in manifest["entries"]] == z
    assert [e["size"] for e in manifest["entries"]] == [i.file_size for i in infos[1:]]
    assert manifest == made.manifest
    assert (manifest["count"], manifest["rows"], manifest["columns"]) == (9, 64, 48)
    assert (manifest["dtype"], manifest["stored_dtype"]) == ("int16", "uint16")
    assert manifest["rescale"] == [1.0, -1024.0]
    assert manifest["geometry"]["spacing"] == [2.5, 0.661468, 0.661468]
    assert manifest["geometry"]["origin"] == [-100, -90, 0]
    assert manifest["geometry"]["direction"] == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert manifest["geometry"]["regular"] is True
    assert "Pérson" not in json.dumps(manifest)


def test_missing_and_doubled_slices_are_said(tmp_path):
    folder = series(tmp_path / "gap", shuffle=False)
    (folder / "004.dcm").unlink()
    (folder / "copy.dcm").write_bytes((folder / "003.dcm").read_bytes())
    doubled = pydicom.dcmread(folder / "002.dcm")
    doubled.SOPInstanceUID = doubled.file_meta.MediaStorageSOPInstanceUID = "2.25.77"
    save(doubled, folder / "again.dcm")
    (folder / "notes.txt").write_text("x")
    made = sk.bundle(folder, tmp_path / "gap.zip")
    assert made.manifest["geometry"]["regular"] is False
    assert "1 slices lie where their neighbour lies" in str(made)
    assert "slices are missing behind slice 4" in str(made)
    assert "1 files that are no images were left out" in str(made)
    assert "1 files are copies of others (same SOPInstanceUID): 'copy.dcm'" in str(made)
    assert made.manifest["count"] == 9


def test_geometry_leads_to_every_slice_of_a_tilted_series(tmp_path):
    folder = series(tmp_path / "t", step=(0.0, 1.0, 2.0))
    geometry = sk.bundle(folder, tmp_path / "t.zip").manifest["geometry"]
    axis = np.array(geometry["direction"])[:, 0]
    for k in range(9):
        np.testing.assert_allclose(
            np.array(geometry["origin"]) + k * geometry["spacing"][0] * axis, [-100, -90 + k, 2 * k]
        )
    assert geometry["regular"] is True


def test_what_is_not_known_is_null(tmp_path):
    folder = series(tmp_path / "one", count=1)
    ds = pydicom.dcmread(folder / "000.dcm")
    del ds.PixelSpacing
    ds.save_as(folder / "000.dcm")
    assert sk.bundle(folder, tmp_path / "one.zip").manifest["geometry"]["spacing"] == [None, None, None]
    mixed = series(tmp_path / "mixed", count=3, shuffle=False)
    ds = pydicom.dcmread(mixed / "001.dcm")
    ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    ds.save_as(mixed / "001.dcm")
    assert sk.bundle(mixed, tmp_path / "mixed.zip").manifest["geometry"] is None


def test_fractional_rescale_needs_float(tmp_path):
    folder = series(tmp_path / "s", RescaleSlope="0.5")
    assert sk.bundle(folder, tmp_path / "s.zip").manifest["dtype"] == "float32"


def test_two_series_must_be_told_apart(tmp_path):
    folder = series(tmp_path / "s", count=3)
    uid = pydicom.uid.generate_uid()
    ds = make_dataset(body_picture(64, 48), bits_stored=12, SeriesInstanceUID=uid)
    save(ds, folder / "other.dcm")
    with pytest.raises(sk.ArgumentError, match="holds 2 series, name one as series="):
        sk.bundle(folder, tmp_path / "s.zip")
    assert sk.bundle(folder, tmp_path / "s.zip", series=uid).manifest["count"] == 1
    with pytest.raises(sk.ResourceError, match="exists"):
        sk.bundle(folder, tmp_path / "s.zip", series=uid)
    with pytest.raises(sk.ArgumentError, match=r"no series 1\.2"):
        sk.bundle(folder, tmp_path / "t.zip", series="1.2")


def test_a_bundle_does_not_take_the_place_of_its_source(tmp_path):
    sk.bundle(series(tmp_path / "s", count=3), tmp_path / "s.zip")
    with pytest.raises(sk.ArgumentError, match="is the source itself"):
        sk.bundle(tmp_path / "s.zip", tmp_path / "s.zip", overwrite=True)


def test_what_is_no_series(tmp_path):
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "x.txt").write_text("x")
    with pytest.raises(sk.ArgumentError, match="no DICOM image"):
        sk.bundle(tmp_path / "e", tmp_path / "e.zip")
    frames = np.stack([body_picture(32, 32)] * 2)
    save(make_dataset(frames, bits_stored=12, frames=2), tmp_path / "e" / "m.dcm")
    with pytest.raises(sk.ArgumentError, match="has 2 frames"):
        sk.bundle(tmp_path / "e", tmp_path / "e.zip")
    assert not list(tmp_path.glob("*.zip*"))


def test_real_series_in_order(shared_data, tmp_path):
    folder = shared_data("ct_lidc0314_lower90")
    made = sk.bundle(folder, tmp_path / "ct.zip")
    assert made.manifest["count"] == 90
    assert made.manifest["geometry"]["spacing"] == pytest.approx([1.0, 0.78125, 0.78125])
    with zipfile.ZipFile(tmp_path / "ct.zip") as archive:
        z = {
            e["index"]: float(pydicom.dcmread(archive.open(e["name"])).ImagePositionPatient[2])
            for e in made.manifest["entries"]
        }
    assert [z[k] for k in range(90)] == sorted(z.values())


@pytest.mark.parametrize("order", ["middle-out", "sequential", "interleaved"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 17, 100])
def test_every_order_is_a_permutation(order, count):
    assert sorted(sk.slice_order(count, order)) == list(range(count))


def test_orders():
    assert sk.slice_order(6) == [3, 2, 4, 1, 5, 0]
    assert sk.slice_order(9, "interleaved") == [4, 0, 8, 2, 6, 1, 3, 5, 7]
    assert sk.slice_order(3, [2, 0, 1]) == [2, 0, 1]
    for wrong in ([0, 0, 1], [0, 1], "backwards"):
        with pytest.raises(sk.ArgumentError):
            sk.slice_order(3, wrong)
