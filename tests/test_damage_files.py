"""Folders of scans: pieces of each, runs that go on, and what must never be replaced."""

import json

import cv2
import numpy as np
import pytest
import tifffile

import spinekit as sk
from spinekit import _engine
from spinekit.cli import main
from spinekit.damage import batch
from test_find_damage import BACKGROUND, FOREGROUND, made_scan


@pytest.fixture(scope="module")
def model():
    return sk.ColorModel.fit(made_scan(), background=BACKGROUND, foreground=FOREGROUND)


@pytest.fixture
def scans(tmp_path):
    """Return a folder of two scans and one that is cut off."""
    folder = tmp_path / "scans"
    (folder / "größer als").mkdir(parents=True)
    tifffile.imwrite(folder / "a.tif", made_scan(1), photometric="rgb", resolution=(600, 600))
    cv2.imwrite(str(folder / "größer als" / "b 1.png"), made_scan(2)[..., ::-1])
    tifffile.imwrite(folder / "cut off.tif", made_scan(3), photometric="rgb")
    whole = (folder / "cut off.tif").read_bytes()
    (folder / "cut off.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("mine")
    return folder


def test_every_scan_has_its_folder(scans, model, tmp_path):
    out = tmp_path / "out"
    done = sk.find_damage_files(scans, out, model, formats=["svg", "csv", "json", "geojson", "overlay"])
    assert done.names == ["a", "cut off", "größer als/b 1"]
    assert (done.ok, list(done.failures)) == (False, ["cut off"])
    assert "cut off.tif" in done.failures["cut off"]
    assert not (out / "cut off").exists()
    for name, seed, suffix in (("a", 1, "a.tif"), ("größer als/b 1", 2, "größer als/b 1.png")):
        expected = sk.find_damage(made_scan(seed), model)
        pieces = sk.DamagedPieces.from_json(out / name / "pieces.json")
        assert len(pieces) == len(expected) == done.found[name]["pieces"]
        assert [piece.outline.tolist() for piece in pieces] == [piece.outline.tolist() for piece in expected]
        assert len(list((out / name).glob("piece-*.svg"))) == len(expected)
        assert (out / name / "pieces.svg").is_file()
        assert (out / name / "pieces.csv").read_text().count("\n") == len(expected) + 1
        assert len(json.loads((out / name / "pieces.geojson").read_text())["features"]) == len(expected)
        assert cv2.imread(str(out / name / "overlay.png")).shape == made_scan(seed).shape
        assert pieces.source == suffix.rpartition("/")[2]
    assert done.found["a"]["area_mm2"] == pytest.approx(done.found["a"]["area_px"] * (25.4 / 600) ** 2)
    assert done.found["größer als/b 1"]["area_mm2"] is None
    text = str(done)
    assert text.startswith("2 of 3 scans searched in ")
    assert f"their pieces are in '{out}'\n  a: " in text
    assert "1 FAILED:\n  cut off: " in text


def test_the_same_call_goes_on(scans, model, tmp_path):
    out = tmp_path / "out"
    sk.find_damage_files(scans / "a.tif", out, model, formats=["svg"])
    before = (out / "a" / "pieces.svg").stat().st_mtime_ns
    again = sk.find_damage_files(scans, out, model, formats=["svg"])
    assert again.kept == ["a"]
    assert sorted(again.found) == ["a", "größer als/b 1"]
    assert (out / "a" / "pieces.svg").stat().st_mtime_ns == before
    (out / "a" / "pieces.svg").unlink()
    assert sk.find_damage_files(scans / "a.tif", out, model, formats=["svg"]).kept == []
    assert (out / "a" / "pieces.svg").exists()


def test_pieces_of_other_options_are_not_replaced_unasked(scans, model, tmp_path):
    out = tmp_path / "out"
    sk.find_damage_files(scans / "a.tif", out, model, formats=["svg"])
    before = {path.name: path.read_bytes() for path in (out / "a").iterdir()}
    for options in ({"min_area": 900_000}, {"mm_per_pixel": 0.5}, {"formats": ["svg", "csv"]}):
        done = sk.find_damage_files(scans / "a.tif", out, model, **{"formats": ["svg"], **options})
        assert "was made with " in done.failures["a"]
        if "min_area" in options:
            assert "with min_area 50, now 900000; choose" in done.failures["a"]
        assert {path.name: path.read_bytes() for path in (out / "a").iterdir()} == before
    done = sk.find_damage_files(
        scans / "a.tif", out, model, formats=["svg"], min_area=200_000, overwrite=True
    )
    assert done.ok
    assert len(list((out / "a").iterdir())) == done.found["a"]["pieces"] + 1 < len(before)


def test_files_changed_by_hand_stay(scans, model, tmp_path):
    out = tmp_path / "out"
    sk.find_damage_files(scans / "a.tif", out, model, formats=["svg"])
    (out / "a" / "pieces.svg").unlink()
    (out / "a" / "piece-0001.svg").write_text("corrected")
    done = sk.find_damage_files(scans / "a.tif", out, model, formats=["svg"])
    assert "piece-0001.svg' is there and not of an earlier run, or was changed since" in done.failures["a"]
    assert (out / "a" / "piece-0001.svg").read_text() == "corrected"


def test_options_that_cannot_be_are_told_before_anything_is_made(scans, model, tmp_path):
    for options, message in (
        ({"formats": ["pdf"]}, "formats: 'pdf'"),
        ({"formats": "svg"}, "formats: 'svg', expected a list"),
        ({"colour": 1}, "colour: no such option, expected boundary, at_boundary, margin"),
        ({"kernel": -1}, "kernel: -1"),
        ({"mm_per_pixel": -1}, "mm_per_pixel: -1"),
        ({"memory_limit": "3"}, "memory_limit"),
        ({"workers": 0}, "workers: 0"),
    ):
        with pytest.raises(sk.ArgumentError, match=message):
            sk.find_damage_files(scans, tmp_path / "out", model, **options)
    with pytest.raises(sk.ArgumentError, match="holds the scans; name another folder for the pieces"):
        sk.find_damage_files(scans, scans, model)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(sk.ArgumentError, match="no scans in"):
        sk.find_damage_files(empty, tmp_path / "out", model)
    assert not (tmp_path / "out").exists()


def test_nothing_is_lost_where_writing_fails(scans, model, tmp_path, monkeypatch):
    out = tmp_path / "out"
    sk.find_damage_files(scans / "a.tif", out, model, formats=["svg"])
    (out / "a" / "piece-0002.svg").write_text("corrected")
    before = {path.name: path.read_bytes() for path in (out / "a").iterdir()}

    def full(folder, files):
        raise sk.ResourceError(f"'{folder}' cannot be written to: No space left on device")

    monkeypatch.setattr(_engine, "write_files", full)
    done = sk.find_damage_files(
        scans / "a.tif", out, model, formats=["svg"], min_area=300_000, overwrite=True
    )
    assert "No space left" in done.failures["a"]
    assert {path.name: path.read_bytes() for path in (out / "a").iterdir()} == before


def test_files_of_others_in_the_folder_stay(scans, model, tmp_path):
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a" / "piece-0001.svg").write_text("mine")
    done = sk.find_damage_files(scans / "a.tif", out, model, formats=["svg"])
    assert "piece-0001.svg' is there and not of an earlier run" in done.failures["a"]
    assert [path.name for path in (out / "a").iterdir()] == ["piece-0001.svg"]


def test_results_stay_in_their_folder(scans, model, tmp_path, monkeypatch):
    below = tmp_path / "work"
    below.mkdir()
    tifffile.imwrite(below / "b.tif", made_scan(1), photometric="rgb")
    monkeypatch.chdir(below)
    done = sk.find_damage_files(["../scans/a.tif", "b.tif"], "out", model, formats=["csv"])
    assert done.names == ["scans/a", "work/b"]
    assert (below / "out" / "scans" / "a" / "pieces.csv").is_file()


def test_a_scan_that_changes_meanwhile_has_no_pieces(scans, model, tmp_path, monkeypatch):
    path = scans / "a.tif"
    searched = batch.searched

    def slowly(*arguments, **options):
        found = searched(*arguments, **options)
        path.write_bytes(path.read_bytes() + b"more")
        return found

    monkeypatch.setattr(batch, "searched", slowly)
    done = sk.find_damage_files(path, tmp_path / "out", model, formats=["csv"])
    assert "a.tif' was changed while it was read" in done.failures["a"]
    assert not (tmp_path / "out" / "a").exists()


def test_scans_beside_results_are_scans(scans, model, tmp_path):
    sk.find_damage(scans / "a.tif", model).to_json(scans / "pieces.json")
    assert sk.find_damage_files(scans, tmp_path / "out", model, formats=["overlay"]).names[0] == "a"
    moved = tmp_path / "moved"
    (tmp_path / "out" / "a").rename(moved)
    sk.find_damage(scans / "a.tif", model).to_json(moved / "pieces.json")
    with pytest.raises(sk.ArgumentError, match="no scans in"):
        sk.find_damage_files(moved, tmp_path / "again", model)


def test_numbers_of_numpy_are_numbers(scans, model, tmp_path):
    options = {"min_area": np.int64(60), "epsilon": np.float32(0.5), "boundary": np.array([9, 9, 300, 290])}
    done = sk.find_damage_files(scans / "a.tif", tmp_path / "out", model, **options)
    assert done.ok
    assert sk.find_damage_files(scans / "a.tif", tmp_path / "out", model, **options).kept == ["a"]


def test_thin_scans_have_a_picture_too(model, tmp_path):
    thin = np.tile(made_scan()[160:165], (1, 30, 1))
    tifffile.imwrite(tmp_path / "thin.tif", thin, photometric="rgb")
    for boundary in ("none", "edges", "brightness"):
        done = sk.find_damage_files(tmp_path / "thin.tif", tmp_path / boundary, model, boundary=boundary)
        assert done.ok, done.failures


# ---- the command


def boxes(name, found):
    return [word for box in found for word in (f"--{name}", *map(str, box))]


def test_the_command_writes_model_and_pieces(scans, tmp_path, capsys):
    scan, model, out = str(scans / "a.tif"), str(tmp_path / "m.json"), str(tmp_path / "out")
    marked = [*boxes("background", [(4, 4, 20, 20)]), *boxes("foreground", FOREGROUND)]
    assert main(["damage", scan, *marked, "--save-model", model]) == 0
    assert sk.ColorModel.load(model).classes == ("foreground", "background")
    command = [
        "damage",
        scan,
        "--model",
        model,
        "--out",
        out,
        "--formats",
        "csv",
        "--json",
        "--min-area",
        "30000",
    ]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["found"]["a"]["pieces"] == len(
        sk.find_damage(scan, sk.ColorModel.load(model), min_area=30_000)
    )
    assert main([*command[:-2], "--mm-per-pixel", "0.1", "0.2", "--overwrite"]) == 0
    assert "area_mm2" in (tmp_path / "out" / "a" / "pieces.csv").read_text().splitlines()[0]


def test_the_command_tells_what_failed(scans, model, tmp_path, capsys):
    model.save(tmp_path / "m.json")
    out = str(tmp_path / "out")
    assert main(["damage", str(scans), "--model", str(tmp_path / "m.json"), "--out", out]) == 1
    assert "cut off: " in capsys.readouterr().out
    bounded = ["--boundary", "20", "20", "300", "250", "--at-boundary", "remove"]
    assert (
        main(
            [
                "damage",
                str(scans / "a.tif"),
                "--model",
                str(tmp_path / "m.json"),
                "--out",
                out + "2",
                *bounded,
            ]
        )
        == 0
    )
    pieces = sk.DamagedPieces.from_json(tmp_path / "out2" / "a" / "pieces.json")
    assert pieces.boundary == (20, 20, 300, 250)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "o"], "give --model, or boxes by --background and --foreground"),
        (["--model", "m.json", "--background", "0", "0", "2", "2", "--out", "o"], "and not both"),
        (["--model", "m.json"], "--out: missing"),
        (["--background", "0", "0", "9", "9", "--out", "o"], "foreground: no box"),
        (["--model", "none.json", "--out", "o"], "none.json"),
    ],
)
def test_the_command_tells_what_is_missing(words, message, scans, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["damage", str(scans / "a.tif"), *words]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not np.any([path.name == "o" for path in tmp_path.iterdir()])
