"""Phantoms as folders of files, from Python and from the command line."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from spinekit.cli import main
from spinekit.measurement.landmarks import BONES


def rows_of(folder):
    with (folder / "phantoms.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".jsonl"
    }


def write(folder, **options):
    return sk.phantom.write(folder, **{"count": 2, "seed": 5, "rows": 96, "progress": False} | options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("phantoms") / "set"
    assert write(target, implants=1.0).made == 2
    return target


def test_files_hold_what_the_phantom_says(folder):
    spine = sk.phantom.Spine.random(seed=6)
    film = spine.radiograph(rows=96, implants=True)
    with Image.open(folder / "images" / "phantom-000006.png") as image:
        assert image.mode.startswith("I;16")
        np.testing.assert_array_equal(np.asarray(image) >> 4, film.pixels)
    masks = spine.masks(film)
    for bone, mask in zip(BONES, masks, strict=True):
        with Image.open(folder / "masks" / "phantom-000006" / f"{bone}.png") as image:
            np.testing.assert_allclose(np.asarray(image) / 255, mask, atol=0.5 / 255 + 1e-6)
    with Image.open(folder / "implants" / "phantom-000006.png") as image:
        np.testing.assert_allclose(np.asarray(image) / 255, film.implant_mask, atol=0.5 / 255 + 1e-6)
    with Image.open(folder / "without_implants" / "phantom-000006.png") as image:
        np.testing.assert_array_equal(np.asarray(image) >> 4, film.without_implants.pixels)
    np.testing.assert_array_equal(sk.read_pixels(folder / "dicom" / "phantom-000006.dcm"), film.pixels)


def test_pictures_of_films_use_all_of_their_16_bits(folder):
    # PNG specification 12.4: scaled to the full depth, and sBIT says how many bits are true.
    path = folder / "images" / "phantom-000006.png"
    with Image.open(path) as image:
        values = np.asarray(image).astype(np.float64)
    film = sk.phantom.Spine.random(seed=6).radiograph(rows=96, implants=True)
    np.testing.assert_allclose(values / 65535, film.pixels / 4095, atol=1.5e-5)
    data = path.read_bytes()
    assert b"\x00\x00\x00\x01sBIT\x0c" in data[: data.index(b"IDAT")]


def test_labelme_files_lead_back_to_the_landmarks(folder):
    spine = sk.phantom.Spine.random(seed=5)
    view = spine.view(96)
    read = sk.annotations.read_labelme(folder / "labelme" / "phantom-000005.json")
    expected = spine.landmarks(view)
    for name in ("vertebrae", "sacrum", "heads", "radii"):
        np.testing.assert_allclose(getattr(read.landmarks, name), getattr(expected, name), atol=1e-3)
    assert read.image == folder / "labelme" / ".." / "images" / "phantom-000005.png"
    assert read.shape == (view.beam.rows, view.beam.columns)


def test_index_has_parameters_and_points_of_each_film(folder):
    rows = rows_of(folder)
    assert [row["film"] for row in rows] == ["phantom-000005", "phantom-000006"]
    spine = sk.phantom.Spine.random(seed=6)
    view = spine.view(96)
    row = rows[1]
    on_film = spine.parameters_on(view)
    assert float(row["pi"]) == pytest.approx(on_film.pi, abs=1e-3)
    assert float(row["own ll"]) == pytest.approx(spine.parameters.ll, abs=1e-3)
    assert float(row["disc_heights.L4-L5.middle"]) == pytest.approx(
        on_film.disc_heights["L4-L5"][1], abs=1e-3
    )
    corner = spine.landmarks(view).endplate("L2", "inferior")[1]
    assert float(row["L2 inferior posterior x"]) == pytest.approx(corner[0], abs=1e-3)
    assert float(row["L2 inferior posterior y"]) == pytest.approx(corner[1], abs=1e-3)
    assert (row["seed"], row["rows"], row["implants"]) == ("6", "96", "1")
    assert float(row["row spacing mm"]) == view.spacing[0]


def test_parameters_are_called_as_in_tables_of_measurements(folder):
    # Else `agreement` has nothing to compare measured discs with.
    measured = sk.measure_points(sk.Landmarks()).values
    assert set(sk.phantom.Spine.random(seed=6).parameters.to_dict()) <= set(measured)
    names = set(rows_of(folder)[0])
    assert {"segmental.L5-S1", "disc_heights.L1-L2.anterior", "own disc_heights.L1-L2.anterior"} <= names


def test_the_same_with_any_number_of_workers(folder, tmp_path):
    write(tmp_path / "again", implants=1.0, workers=1)
    assert files_of(tmp_path / "again") == files_of(folder)


def test_goes_on_and_keeps_what_was_corrected(folder, tmp_path):
    target = tmp_path / "set"
    shutil.copytree(folder, target)
    before = files_of(target)
    corrected = target / "labelme" / "phantom-000005.json"
    corrected.write_text("{}")
    (target / "images" / "phantom-000005.png").unlink()
    written = write(target, count=3, implants=1.0)
    assert (written.made, written.kept) == (2, 1)
    assert corrected.read_text() == "{}"
    after = files_of(target)
    assert after["images/phantom-000005.png"] == before["images/phantom-000005.png"]
    assert len(rows_of(target)) == 3


def test_a_crash_between_two_files_is_mended(folder, tmp_path):
    target = tmp_path / "set"
    shutil.copytree(folder, target)
    before = files_of(target)
    journal = target / "spinekit-phantoms.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    kept = [line for line in lines if line.get("film") != "phantom-000006"]
    journal.write_text("".join(json.dumps(line) + "\n" for line in kept) + '{"film": "phant')
    (target / "images" / "phantom-000006.png").write_bytes(b"half")
    written = write(target, implants=1.0)
    assert (written.made, written.kept) == (1, 1)
    assert files_of(target) == before


def test_files_of_others_are_never_replaced(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(sk.ArgumentError, match="holds other files"):
        write(tmp_path)
    with pytest.raises(sk.ArgumentError, match="is a file"):
        write(tmp_path / "mine.txt")
    target = tmp_path / "set"
    write(target, count=1)
    foreign = target / "images" / "phantom-000006.png"
    foreign.write_bytes(b"mine")
    written = write(target, count=3)
    assert foreign.read_bytes() == b"mine"
    assert (written.made, written.kept, list(written.failures)) == (1, 1, ["phantom-000006"])
    assert "not of this run" in str(written)
    assert [row["film"] for row in rows_of(target)] == ["phantom-000005", "phantom-000007"]


def test_other_options_need_another_folder(folder):
    with pytest.raises(sk.ArgumentError, match="written with rows 96, not 64"):
        write(folder, implants=1.0, rows=64)


@pytest.mark.parametrize("mask_format", ["tiff", "npz"])
def test_masks_in_one_file(tmp_path, mask_format):
    write(tmp_path, count=1, mask_format=mask_format, dicom=False, facing="random")
    assert not (tmp_path / "dicom").exists()
    row = rows_of(tmp_path)[0]
    spine = sk.phantom.Spine.random(seed=5)
    expected = spine.masks(spine.view(96, facing=row["facing"]))
    if mask_format == "tiff":
        with Image.open(tmp_path / "masks" / "phantom-000005.tif") as image:
            assert image.n_frames == 8
            image.seek(5)
            np.testing.assert_allclose(np.asarray(image) / 255, expected[5], atol=0.5 / 255 + 1e-6)
    else:
        with np.load(tmp_path / "masks" / "phantom-000005.npz") as arrays:
            np.testing.assert_allclose(arrays["masks"], expected, atol=1e-3)


def test_both_sides_and_some_implants_by_chance(tmp_path):
    write(tmp_path, count=10, rows=32, facing="random", implants=0.5, dicom=False, mask_format="npz")
    rows = rows_of(tmp_path)
    assert {row["facing"] for row in rows} == {"left", "right"}
    assert {row["implants"] for row in rows} == {"0", "1"}
    metal = {path.stem for path in (tmp_path / "implants").iterdir()}
    assert metal == {row["film"] for row in rows if row["implants"] == "1"}


def test_ct_beside_the_film(tmp_path, monkeypatch):
    taken = sk.phantom.Spine.ct

    def coarse(self, **options):
        return taken(self, spacing=(8.0, 4.0, 4.0), **options)

    monkeypatch.setattr(sk.phantom.Spine, "ct", coarse)
    write(tmp_path, count=1, ct=True, dicom=False)
    with sk.open_volume(tmp_path / "ct" / "phantom-000005") as volume:
        volume.wait()
        np.testing.assert_array_equal(volume.array, coarse(sk.phantom.Spine.random(5)).array)
    assert [path.name for path in (tmp_path / "ct").iterdir()] == ["phantom-000005"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count: 0"),
        ({"count": 100_001}, "count: 100001, expected 1 to 100000 in a folder"),
        ({"seed": -1}, "0 or more"),
        ({"rows": 3}, "at least 16"),
        ({"columns": 0}, "at least 16"),
        ({"implants": 1.5}, "share of 0 to 1"),
        ({"mask_format": "jpeg"}, "jpeg"),
        ({"facing": "up"}, "'up'"),
        ({"workers": 0}, "at least 1"),
    ],
)
def test_refuses_bad_options_before_it_writes(tmp_path, options, message):
    with pytest.raises(sk.ArgumentError, match=message):
        write(tmp_path / "set", **options)
    assert not (tmp_path / "set").exists()


def test_command_line(tmp_path, capsys):
    out = str(tmp_path / "set")
    arguments = ["phantom", "--count", "2", "--out", out, "--rows", "64", "--no-dicom", "--format", "npz"]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["made"] == 2
    assert main(arguments) == 0
    assert "2 were there" in capsys.readouterr().out
    (tmp_path / "set" / "images" / "phantom-000002.png").write_bytes(b"mine")
    arguments[2] = "3"
    assert main(arguments) == 1
    assert "phantom-000002" in capsys.readouterr().out
    assert main(["phantom", "--count", "0", "--out", out]) == 2
    assert "count" in capsys.readouterr().err
