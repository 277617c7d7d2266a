"""The command on films, and films of real detectors."""

import json

import numpy as np
import pydicom
from PIL import Image
from pydicom.pixels import apply_modality_lut

import spinekit as sk
from made_radiographs import RAMP, remarks, write
from spinekit.cli import main

# ---- the command line and real files


def test_the_command_tells_and_writes(tmp_path, capsys):
    write(tmp_path / "a.dcm", ImagerPixelSpacing=[0.1, 0.1])
    write(tmp_path / "b.dcm", RescaleSlope="0.5", RescaleIntercept="0")
    (tmp_path / "c.dcm").write_text("no")
    names = [str(tmp_path / f"{name}.dcm") for name in "abc"]
    assert main(["film", *names[:2], "--out", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["films"]
    assert found[names[0]]["spacing_from"] == "ImagerPixelSpacing"
    with Image.open(tmp_path / "out" / "a.png") as picture:
        np.testing.assert_array_equal(picture, RAMP)
    with Image.open(tmp_path / "out" / "b.png") as picture:
        np.testing.assert_allclose(picture, RAMP / 4095 * 65535, atol=0.51)
    assert main(["film", *names, "--voi", "none", "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().out
    assert "exists; --overwrite replaces it" in told
    assert "FAILED: " in told
    assert main(["film", names[0], "--spacing", "0.3", "0.3"]) == 0
    assert "spacing: given" in capsys.readouterr().out


def test_the_command_stretches_films_for_viewers(tmp_path, capsys):
    write(tmp_path / "a.dcm")
    out = tmp_path / "out"
    assert main(["film", str(tmp_path / "a.dcm"), "--stretch", "--out", str(out)]) == 0
    with Image.open(out / "a.png") as picture:
        assert (picture.mode, picture.getextrema()) == ("L", (0, 255))
        low, high = int(RAMP.min()), int(RAMP.max())
        np.testing.assert_allclose(picture, (RAMP - low) * (255 / (high - low)), atol=1)
    capsys.readouterr()
    assert main(["film", str(tmp_path / "a.dcm"), "--stretch"]) == 2
    assert "--stretch is for what is written" in capsys.readouterr().err


def test_the_command_takes_folders(tmp_path, capsys):
    (tmp_path / "films" / "more").mkdir(parents=True)
    write(tmp_path / "films" / "a.dcm")
    write(tmp_path / "films" / "more" / "a.dcm")
    assert main(["film", str(tmp_path / "films"), "--out", str(tmp_path / "out"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["films"]) == 2
    assert (tmp_path / "out" / "more" / "a.png").exists()
    assert main(["film", str(tmp_path / "films")]) == 0


def test_the_command_never_replaces_a_film_that_it_reads(tmp_path, capsys):
    Image.fromarray((RAMP >> 4).astype(np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").symlink_to(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    for folder in (tmp_path, tmp_path / "out"):
        command = ["film", str(tmp_path / "a.png"), "--invert", "--overwrite", "--out", str(folder)]
        assert main(command) == 1
        assert "a.png' is a film of this run itself; choose another folder" in capsys.readouterr().out
    assert (tmp_path / "a.png").read_bytes() == before
    assert (tmp_path / "out" / "a.png").is_symlink()


def test_the_command_never_replaces_what_it_has_just_written(tmp_path, capsys):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.dcm", RescaleIntercept="0" if name == "x" else "5", RescaleSlope="1")
    names = [str(tmp_path / name / "a.dcm") for name in ("x", "y")]
    out = tmp_path / "out"
    for _ in range(2):
        assert main(["film", *names, "--overwrite", "--out", str(out)]) == 1
        assert "a.png' was written in this run" in capsys.readouterr().out
        with Image.open(out / "a.png") as picture:
            np.testing.assert_array_equal(picture, RAMP)


def test_the_command_keeps_what_follows_a_dot_in_a_uid(tmp_path):
    for name in ("1.2.840.77", "1.2.840.78"):
        write(tmp_path / name)
    names = [str(tmp_path / name) for name in ("1.2.840.77", "1.2.840.78")]
    assert main(["film", *names, "--out", str(tmp_path / "out")]) == 0
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["1.2.840.77.png", "1.2.840.78.png"]


def test_real_films(shared_data):
    folder = shared_data("xray_dicom")
    for name in ("RG1_J2KI.dcm", "RG3_J2KI.dcm"):
        ds = pydicom.dcmread(folder / name)
        film = sk.read_radiograph(folder / name)
        expected = 2**ds.BitsStored - 1 - ds.pixel_array
        np.testing.assert_allclose(film.pixels.astype(int), expected, atol=2)  # another decoder's rounding
        assert film.spacing is None
    assert "PixelSpacing is 0 x 0" in remarks(sk.read_radiograph(folder / "RG1_J2KI.dcm"))
    scout = sk.read_radiograph(folder / "GH342.dcm")
    ds = pydicom.dcmread(folder / "GH342.dcm")
    np.testing.assert_array_equal(scout.pixels, apply_modality_lut(ds.pixel_array, ds))
    assert (scout.spacing, scout.notes["remarks"]) == ((0.9765625, 0.9765625), [])


def test_a_real_picture(shared_data):
    path = shared_data("xray_png") / "00000001_000.png"
    with Image.open(path) as picture:
        np.testing.assert_array_equal(sk.read_radiograph(path).pixels, picture.convert("L"))
