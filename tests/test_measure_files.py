"""Masks from files, and tables of many films: what goes in comes out, what is broken is named."""

import csv
import dataclasses
import io
import json
import math
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from conftest import make_dataset, save
from made_spine import BONES, FlatSpine
from spinekit.cli import main

MADE = FlatSpine()
MASKS, SPACING, LANDMARKS = MADE.film(rows=320)
EIGHT_BITS = np.rint(255 * MASKS).astype(np.uint8)


def write_bones(folder, masks=EIGHT_BITS, suffix=".png", names=BONES):
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in zip(names, masks, strict=True):
        Image.fromarray(mask).save(folder / f"{name}{suffix}")
    return folder


def write_pages(path, masks=EIGHT_BITS):
    first, *others = [Image.fromarray(mask) for mask in masks]
    first.save(path, save_all=True, append_images=others)
    return path


def same_angles(par, tolerance=0.3):
    for name in ("ss", "pt", "ll", "pi"):
        assert par.values[name] == pytest.approx(getattr(MADE, name), abs=tolerance), name


# ---- reading


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float32, np.float64])
def test_arrays(tmp_path, dtype):
    masks = MASKS if np.dtype(dtype).kind == "f" else MASKS > 0.5
    np.save(tmp_path / "m.npy", masks.astype(dtype))
    np.savez_compressed(tmp_path / "m.npz", masks.astype(dtype))
    for name in ("m.npy", "m.npz"):
        found = sk.read_masks(tmp_path / name)
        np.testing.assert_array_equal(found, masks.astype(dtype))
        assert found.flags.c_contiguous
        # Whole pixels of 1 mm know an endplate's direction less well.
        same_angles(sk.measure(found, SPACING), 0.3 if np.dtype(dtype).kind == "f" else 1.5)


def test_an_array_in_fortran_order_is_turned(tmp_path):
    np.save(tmp_path / "m.npy", np.asfortranarray(MASKS))
    np.testing.assert_array_equal(sk.read_masks(tmp_path / "m.npy"), MASKS)


def test_pages(tmp_path):
    np.testing.assert_array_equal(sk.read_masks(write_pages(tmp_path / "m.tif")), EIGHT_BITS)


@pytest.mark.parametrize("names", [BONES, [bone.lower() for bone in BONES], [*BONES[:5], "S1", *BONES[6:]]])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".BMP"])
def test_a_folder_of_bones(tmp_path, names, suffix):
    folder = write_bones(tmp_path / "case", suffix=suffix, names=names)
    (folder / "notes.txt").write_text("x")
    Image.fromarray(EIGHT_BITS[0]).save(folder / "overview.png")
    np.testing.assert_array_equal(sk.read_masks(folder), EIGHT_BITS)


def test_a_bone_without_picture_is_missing(tmp_path):
    folder = write_bones(tmp_path / "case")
    (folder / "L3.png").unlink()
    par = sk.measure(sk.read_masks(folder), SPACING)
    assert par.reasons["slopes.L3.superior"] == "L3: the mask is empty"
    assert not math.isnan(par.pi)


def test_pictures_of_other_depths(tmp_path):
    folder = write_bones(tmp_path / "case")
    for bone, mask in zip(BONES[1:], MASKS[1:], strict=True):
        Image.fromarray(np.rint(65535 * mask).astype(np.uint16)).save(folder / f"{bone}.png")
    Image.fromarray(MASKS[7] > 0.5).save(folder / "FH2.png")
    found = sk.read_masks(folder)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], EIGHT_BITS[0] / 255, atol=1e-6)
    np.testing.assert_allclose(found[1:7], MASKS[1:7], atol=1e-5)
    np.testing.assert_array_equal(found[7], MASKS[7] > 0.5)


def test_labelme_outlines(tmp_path):
    sk.annotations.write_labelme(tmp_path / "film.json", masks=MASKS)
    found = sk.read_masks(tmp_path / "film.json")
    same_angles(sk.measure(found, SPACING))
    assert np.abs(found - MASKS).mean() < 1e-3


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("a.npy", np.zeros((7, 4, 4)), sk.MalformedDataError, r"shape \(7, 4, 4\), expected \(8, rows"),
        ("a.npy", np.zeros((8, 4)), sk.MalformedDataError, r"shape \(8, 4\)"),
        ("a.npy", np.full((8, 4, 4), 2.0), sk.MalformedDataError, "values 2 to 2, expected probabilities"),
        ("a.npy", np.full((8, 4, 4), np.nan), sk.MalformedDataError, "nan to nan, expected probabilities"),
        ("a.npy", np.full((8, 4, 4), 3, np.int32), sk.MalformedDataError, "int32 with values 3 to 3"),
        ("a.npy", np.full((8, 4, 4), "x"), sk.MalformedDataError, "<U1, expected bool"),
        ("a.npy", np.full((8, 4, 4), None), sk.MalformedDataError, "no array of NumPy"),
        ("a.npy", b"\x93NUMPY\1\0v\0{'descr': '<f4'", sk.MalformedDataError, "no array of NumPy"),
        ("a.npz", b"PK\3\4 and no more", sk.MalformedDataError, "no archive of NumPy"),
        ("a.json", b"{}", sk.MalformedDataError, "no list 'shapes'"),
        ("a.json", b'{"shapes": []}', sk.MalformedDataError, "no shape is called like a bone"),
        ("a.tif", b"II*\0", sk.MalformedDataError, "no picture"),
        ("a.txt", b"x", sk.ArgumentError, r"expected \.npy, \.npz, \.json, \.tif"),
    ],
)
def test_refuses_what_is_no_mask(tmp_path, name, content, error, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(error, match=message):
        sk.read_masks(path)
    with pytest.raises(error, match=message):
        sk.measure_files(path)


def test_refuses_folders_that_are_no_case(tmp_path):
    with pytest.raises(sk.ResourceError, match="no such file or folder"):
        sk.read_masks(tmp_path / "nowhere")
    with pytest.raises(sk.ArgumentError, match=r"expected pictures called L1, .*FH2"):
        sk.read_masks(tmp_path)
    folder = write_bones(tmp_path / "case")
    Image.fromarray(EIGHT_BITS[0]).save(folder / "l1.bmp")
    with pytest.raises(sk.MalformedDataError, match=r"L1\.png and l1\.bmp are both L1"):
        sk.read_masks(folder)
    (folder / "l1.bmp").unlink()
    Image.fromarray(EIGHT_BITS[0, :9]).save(folder / "FH1.png")
    with pytest.raises(sk.MalformedDataError, match=r"FH1\.png is of \(9, 240\), L1\.png of \(320, 240\)"):
        sk.read_masks(folder)


def test_refuses_archives_that_are_damaged_or_ambiguous(tmp_path):
    path = tmp_path / "m.npz"
    np.savez(path, a=MASKS, b=MASKS)
    with pytest.raises(sk.MalformedDataError, match=r"holds \['a', 'b'\], expected an array called 'masks'"):
        sk.read_masks(path)
    np.savez(path, masks=MASKS, spacing=[0.2, -1])
    with pytest.raises(sk.MalformedDataError, match=r"spacing is \[ 0\.2 -1\. \], expected"):
        sk.read_masks(path)
    np.savez_compressed(path, masks=MASKS)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(sk.MalformedDataError, match="no archive of NumPy"):
        sk.read_masks(path)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float16])
def test_masks_of_an_archive_go_by_their_labels(tmp_path, dtype):
    masks = (MASKS > 0.5).astype(dtype)
    order = [7, 2, 0, 5, 1, 6, 4, 3]
    labels = ["L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH2"]
    for names in (labels, ["l1", *labels[1:5], "S1", *labels[6:]]):
        np.savez(tmp_path / "m.npz", masks=masks[order], labels=np.array(names)[order], spacing=SPACING)
        np.testing.assert_array_equal(sk.read_masks(tmp_path / "m.npz"), masks)


@pytest.mark.parametrize(
    "labels",
    [
        ["L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH1"],
        ["L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "T12"],
        [f"class {k}" for k in range(1, 9)],
        list(range(8)),
        ["L1", "L2"],
        ["L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH2" + 300 * "x"],
    ],
)
def test_refuses_masks_whose_labels_are_not_those_of_bones(tmp_path, labels):
    np.savez(tmp_path / "m.npz", masks=MASKS, labels=np.array(labels))
    with pytest.raises(sk.MalformedDataError, match=r"m\.npz': labels"):
        sk.read_masks(tmp_path / "m.npz")


def zipped(path, shape, *, data=b"", name="masks.npy", dtype="<f8"):
    """Write an archive whose array claims a shape."""
    header = io.BytesIO()
    claim = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, header.getvalue() + data)
    return path


@pytest.mark.parametrize(
    ("shape", "options", "error", "message"),
    [
        ((8, 20_000, 20_000), {}, sk.ResourceError, r"shape \(8, 20000, 20000\), expected at most 2\^29"),
        (
            (20_000_000,),
            {"data": bytes(8 * 20_000_000)},
            sk.MalformedDataError,
            r"shape \(20000000,\), expected",
        ),
        ((8, 1000, 1000), {"dtype": "<U100"}, sk.MalformedDataError, "expected values of 8 bytes at most"),
        ((8, 4, 4), {"data": bytes(100)}, sk.MalformedDataError, "no archive of NumPy"),
    ],
)
def test_an_archive_is_judged_by_its_header(tmp_path, shape, options, error, message):
    path = zipped(tmp_path / "m.npz", shape, **options)
    tracemalloc.start()
    with pytest.raises(error, match=message):
        sk.read_masks(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20


def test_refuses_what_is_called_an_archive_and_is_none(tmp_path):
    np.save(tmp_path / "m.npy", MASKS)
    (tmp_path / "m.npy").rename(tmp_path / "m.npz")
    with pytest.raises(sk.MalformedDataError, match="no archive of NumPy"):
        sk.read_masks(tmp_path / "m.npz")


def test_every_page_is_judged_by_its_size(tmp_path):
    small, large = Image.new("1", (10, 10)), Image.new("1", (9000, 9000))
    small.save(tmp_path / "m.tif", save_all=True, append_images=[large] * 7, compression="group4")
    with pytest.raises(sk.ResourceError, match=r"shape \(8, 9000, 9000\), expected at most 2\^29"):
        sk.read_masks(tmp_path / "m.tif")


def test_a_claim_of_too_many_values_takes_no_memory(tmp_path):
    path = tmp_path / "m.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (8, 1 << 20, 1 << 20)}
        )
        file.write(bytes(100))
    with pytest.raises(sk.MalformedDataError, match="no array of NumPy"):
        sk.read_masks(path)


# ---- many films


@pytest.fixture
def cases(tmp_path):
    """Return a folder of five good cases in every form, and three bad ones."""
    folder = tmp_path / "masks"
    write_bones(folder / "deep" / "bones")
    np.savez(folder / "array.npz", masks=MASKS, spacing=SPACING)
    np.save(folder / "plain.npy", MASKS)
    write_pages(folder / "pages.tif")
    sk.annotations.write_labelme(folder / "points.json", landmarks=LANDMARKS, shape=MASKS.shape[1:])
    np.save(folder / "bad.npy", MASKS[:3])
    (folder / "broken.json").write_text("{")
    write_bones(folder / "short", suffix=".png")
    (folder / "short" / "L2.png").write_bytes(b"no picture")
    (folder / "README.txt").write_text("nothing to measure")
    Image.fromarray(EIGHT_BITS[0]).save(folder / "film.tif")
    return folder


def test_a_folder_is_measured_and_what_fails_is_named(cases):
    found = sk.measure_files(cases, workers=2)
    assert list(found.measurements) == ["array", "deep/bones", "pages", "plain", "points"]
    assert sorted(found.failures) == ["bad", "broken", "short"]
    assert not found.ok
    assert "expected (8, rows, columns)" in found.failures["bad"]
    assert "L2.png" in found.failures["short"]
    for name, par in found.measurements.items():
        same_angles(par)
        assert par.unit == ("mm" if name == "array" else "px")
    assert found.measurements["points"].method == "points"
    words = str(found)
    assert "5 of 8 films measured" in words
    assert "3 FAILED" in words


def test_the_table_goes_straight_into_agreement(cases, tmp_path):
    found = sk.measure_files(cases, spacing=SPACING)
    table = tmp_path / "ours.csv"
    found.to_csv(table)
    with table.open(newline="") as file:
        rows = {row["film"]: row for row in csv.DictReader(file)}
    assert len(rows) == 8
    assert float(rows["plain"]["pi"]) == found.measurements["plain"].pi
    assert float(rows["plain"]["ss low"]) == found.measurements["plain"].intervals["ss"][0]
    assert rows["bad"]["pi"] == ""
    assert "expected (8" in rows["bad"]["problem"]
    truth = tmp_path / "truth.csv"
    truth.write_text(
        "film;pi;ss\n" + "".join(f"{name};{MADE.pi + k};{MADE.ss}\n" for k, name in enumerate(rows)), "utf-8"
    )
    pi = sk.agreement(table, truth)["pi"]
    assert (pi.n, pi.completion["ours"]) == (5, 5 / 8)
    # Intervals and words are no parameters.
    both = sk.agreement(table, found.measurements)
    names = [record.parameter for record in both]
    assert "disc_heights.L4-L5.mean" in names
    assert not [name for name in names if name.endswith((" low", " high"))]
    assert both["pi"].mae == 0


def test_names_that_differ_in_their_ending_keep_it(tmp_path):
    np.save(tmp_path / "a.npy", MASKS)
    write_pages(tmp_path / "a.tif")
    assert list(sk.measure_files(tmp_path).measurements) == ["a.npy", "a.tif"]


def test_numbers_do_not_depend_on_workers(cases):
    one, two = (sk.measure_files(cases, SPACING, workers=n).to_dict() for n in (1, 2))
    assert one["films"] == two["films"]
    assert list(one["films"]) == list(two["films"])


def test_nothing_to_measure_is_an_error(tmp_path):
    with pytest.raises(sk.ArgumentError, match="no masks in it"):
        sk.measure_files(tmp_path)
    with pytest.raises(sk.ResourceError, match="no such file or folder"):
        sk.measure_files(tmp_path / "x")
    np.save(tmp_path / "a.npy", MASKS)
    with pytest.raises(sk.ArgumentError, match="spacing"):
        sk.measure_files(tmp_path, (0, 1))
    with pytest.raises(sk.ArgumentError, match="method"):
        sk.measure_files(tmp_path, method="best")


# ---- films


def dicom_film(path, **attributes):
    pixels = np.rint(4000 * MASKS.max(axis=0)).astype(np.uint16)
    ds = make_dataset(pixels, bits_stored=12, **attributes)
    if "PixelSpacing" not in attributes:
        del ds.PixelSpacing
    return save(ds, path)


def test_spacing_comes_from_the_dicom_film(tmp_path):
    np.save(tmp_path / "a.npy", MASKS)
    film = dicom_film(tmp_path / "a.dcm", PixelSpacing=[0.5, 0.5], PhotometricInterpretation="MONOCHROME1")
    par = sk.measure_files(tmp_path / "a.npy", film=film).measurements["a"]
    assert (par.unit, par.spacing) == ("mm", (0.5, 0.5))
    assert not par.warnings
    par = sk.measure_files(tmp_path / "a.npy", SPACING, film=film).measurements["a"]
    assert par.spacing == SPACING
    dicom_film(tmp_path / "a.dcm", ImagerPixelSpacing=[0.25, 0.25])
    par = sk.measure_files(tmp_path / "a.npy", film=film).measurements["a"]
    assert par.spacing == (0.25, 0.25)
    assert any("detector" in warning for warning in par.warnings)
    dicom_film(tmp_path / "a.dcm", PixelSpacing=[0.25, 0.25], ImagerPixelSpacing=[0.25, 0.25])
    par = sk.measure_files(tmp_path / "a.npy", film=film).measurements["a"]
    assert any("no other PixelSpacing than the detector's" in warning for warning in par.warnings)
    dicom_film(tmp_path / "a", PixelSpacing=[0.5, 0.5])
    (tmp_path / "a.dcm").unlink()
    par = sk.measure_files(tmp_path / "a.npy", film=tmp_path).measurements["a"]
    assert par.spacing == (0.5, 0.5)


def test_each_case_gets_its_film_and_its_picture(tmp_path):
    pytest.importorskip("matplotlib")
    np.save(tmp_path / "a.npy", MASKS)
    write_bones(tmp_path / "in" / "b")
    films = tmp_path / "films"
    films.mkdir()
    dicom_film(films / "a.dcm", PixelSpacing=[0.5, 0.5])
    np.save(tmp_path / "lost.npy", MASKS)
    Image.fromarray(np.zeros(MASKS.shape[1:], np.uint8)).save(films / "b.PNG")
    found = sk.measure_files(tmp_path, film=films, plot=tmp_path / "pictures")
    assert found.measurements["a"].unit == "mm"
    assert "has no film called lost" in found.failures["lost"]
    with Image.open(tmp_path / "pictures" / "in" / "b.png") as picture:
        assert picture.width > 500
    with pytest.raises(sk.ArgumentError, match="exists"):
        sk.measure_files(tmp_path, film=films, plot=tmp_path / "pictures")
    with pytest.raises(sk.ArgumentError, match="expected a folder: there are 3 films"):
        sk.measure_files(tmp_path, plot=tmp_path / "one.svg")
    with pytest.raises(sk.ArgumentError, match=r"expected a folder, or a name that ends in .*\.png"):
        sk.measure_files(tmp_path / "a.npy", plot=tmp_path / "a.jpg")
    with pytest.raises(sk.ArgumentError, match=r"expected a folder: .* holds 3 films"):
        sk.measure_files(tmp_path, film=films / "a.dcm")


def test_a_picture_of_another_kind_is_no_folder(tmp_path):
    np.save(tmp_path / "a.npy", MASKS)
    with pytest.raises(sk.ArgumentError, match=r"expected a folder, or a name that ends in \.png, \.svg"):
        sk.measure_files(tmp_path / "a.npy", plot=tmp_path / "a.jpg")
    assert not (tmp_path / "a.jpg").exists()


def test_corrected_points_count_where_outlines_are_there_too(tmp_path):
    path = tmp_path / "film.json"
    sacrum = LANDMARKS.sacrum + np.array([[0, 6], [0, 0]])
    corrected = dataclasses.replace(LANDMARKS, sacrum=sacrum)
    sk.annotations.write_labelme(path, landmarks=corrected, masks=MASKS)
    (run, rise) = (sacrum[0] - sacrum[1]) * SPACING[::-1]
    slope = math.degrees(math.atan2(rise, abs(run)))
    assert abs(slope - MADE.ss) > 5
    same_angles(sk.measure_files(path, SPACING).measurements["film"])
    par = sk.measure_files(path, SPACING, points=True).measurements["film"]
    assert (par.method, par.ss) == ("points", pytest.approx(slope, abs=0.01))
    np.save(tmp_path / "a.npy", MASKS)
    with pytest.raises(sk.ArgumentError, match="no key points in it"):
        sk.measure_files(tmp_path / "a.npy", points=True)


def test_a_summary_tells_what_was_not_found_and_why(tmp_path):
    np.save(tmp_path / "all.npy", MASKS)
    for number in range(12):
        without = MASKS.copy()
        without[[0, 2] if number == 1 else 0] = 0
        np.save(tmp_path / f"no-l1-{number:02}.npy", without)
    lines = str(sk.measure_files(tmp_path)).splitlines()
    assert "PI 13, PT 13, SS 13, LL 1;" in lines[0]
    assert lines[1] == "lengths are in pixels: no spacing is known"
    assert lines[2] == "  no-l1-00: no LL: L1: the mask is empty"
    assert lines[3] == "  no-l1-01: no LL: L1: the mask is empty; L3: the mask is empty"
    assert lines[-1] == "  and 2 more films; the table has all"
    assert len(lines) == 13
    assert "pixels" not in str(sk.measure_files(tmp_path, SPACING))


def test_a_film_of_another_size_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", MASKS)
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(tmp_path / "film.png")
    with pytest.raises(sk.ArgumentError, match=r"masks are of \(320, 240\), the film of \(5, 6\)"):
        sk.measure_files(tmp_path / "a.npy", film=tmp_path / "film.png")


# ---- the commands


def test_measure_writes_table_and_picture(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    np.save(tmp_path / "a.npy", MASKS)
    out, picture = tmp_path / "out.csv", tmp_path / "a.svg"
    arguments = ["measure", str(tmp_path / "a.npy"), "--spacing", *map(str, SPACING), "--out", str(out)]
    assert main([*arguments, "--plot", str(picture)]) == 0
    assert "Pelvic incidence (PI)" in capsys.readouterr().out
    assert 'id="arc PI"' in picture.read_text("utf-8")
    assert len(out.read_text().splitlines()) == 2
    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)["films"]["a"]["values"]
    assert values["ss"] == pytest.approx(MADE.ss, abs=0.3)
    assert main(["measure", str(tmp_path / "a.npy"), "--points"]) == 2
    assert "no key points" in capsys.readouterr().err
    assert main(["measure", str(tmp_path / "a.npy"), "--method", "report"]) == 0


def test_measure_of_a_folder_names_failures_and_exits_with_1(cases, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main(["measure", str(cases), "--out", str(out)]) == 1
    assert "bad: " in capsys.readouterr().out
    assert set(json.loads(out.read_text())["failures"]) == {"bad", "broken", "short"}
    assert main(["measure", str(cases / "bad.npy")]) == 1
    assert "expected (8, rows, columns)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["measure", ".", "--out", "x.pdf"],
        ["measure", ".", "--out", "nowhere/x.csv"],
        ["measure", "."],
        ["measure", ".", "--spacing", "0", "1"],
        ["agreement", "a.csv", "b.csv", "--out", "x.txt"],
        ["agreement", "a.csv", "b.csv", "--plot", "x.csv"],
    ],
)
def test_wrong_usage_gives_exit_code_2(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert f"spinekit {arguments[0]}:" in capsys.readouterr().err


def test_agreement_of_two_tables(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    # Bland and Altman 1986, table 1: the differences' mean is -2.1, their SD 38.8 l/min.
    wright = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
    mini = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
    for name, values in (("ours", wright), ("theirs", mini)):
        rows = "".join(f"{k},{value},{k % 3}\n" for k, value in enumerate(values))
        (tmp_path / f"{name}.csv").write_text(f"film,pefr,other\n{rows}")
    tables = [str(tmp_path / "ours.csv"), str(tmp_path / "theirs.csv")]
    page, picture = tmp_path / "a.html", tmp_path / "a.png"
    arguments = ["agreement", *tables, "--parameters", "pefr", "--names", "Wright", "mini"]
    assert main([*arguments, "--out", str(page), "--plot", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "38.77" in printed
    assert "Wright completed 100.0 %" in printed
    assert "<svg" in page.read_text("utf-8")
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert main([*arguments, "--out", str(page)]) == 2
    assert main([*arguments, "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out.split("\n", 0)[-1])["records"]
    assert record["bias"] == pytest.approx(-2.1176, abs=1e-3)
    (tmp_path / "theirs.csv").write_text("film,pefr\n")
    assert main(["agreement", *tables]) == 1
    assert "theirs.csv" in capsys.readouterr().err


def test_agreement_of_missing_file(tmp_path, capsys):
    assert main(["agreement", str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]) == 1
    assert "a.csv" in capsys.readouterr().err
