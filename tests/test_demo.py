"""The demo: a page with everything on it, nothing of the patient, nothing foreign touched."""

import re

import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from conftest import body_picture, make_dataset, save
from spinekit.demo import cases, films, write_demo
from spinekit.demo.film_sections import film_sections


def test_page_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(cases, "CT_SPACING", (15.0, 1.6, 1.6))
    monkeypatch.setattr(films, "COUNT", 2)
    page = write_demo(tmp_path / "demo")
    assert page.ok, page.problems
    text = page.path.read_text("utf-8")
    for source in set(re.findall(r'src="([^":]+)"', text)):
        assert (page.path.parent / source).is_file(), source
    assert "<script" not in text
    assert not re.search(r"https?://", text)
    for word in ("PSNR", "SSIM", "the header alone takes", "middle", "A film with known truth", "Measured"):
        assert word in text


def test_films_are_shown_with_their_truth_and_what_is_measured(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(films, "COUNT", 3)
    made = films.show_films(tmp_path, None)
    assert made.problems == []
    page = film_sections(made)
    shown = set(re.findall(r"src='pictures/([^']+)'", page))
    assert {"film.png", "film-implants.png", "film-truth.png", "measured.png"} <= shown
    assert shown <= {path.name for path in tmp_path.iterdir()}
    three = ("film.png", "film-implants.png", "film-truth.png")
    assert len({np.asarray(Image.open(tmp_path / name)).shape[:2] for name in three}) == 1
    spine = sk.phantom.Spine.random(seed=7)
    truth = spine.parameters_on(spine.view(1024))
    for name in ("pi", "pt", "ss", "ll"):
        assert made.truth[name] == getattr(truth, name)
        assert f"<td>{getattr(truth, name):.1f}</td>" in page
        assert made.exact.measurement.values[name] == pytest.approx(getattr(truth, name), abs=1)
    assert [one.method for one in made.compared] == ["robust", "report"]
    assert "The report&#x27;s algorithms" in page


def test_films_need_no_matplotlib(tmp_path, monkeypatch):
    def missing(*arguments):
        raise sk.UnsupportedError("drawing needs matplotlib")

    monkeypatch.setattr(films, "COUNT", 2)
    monkeypatch.setattr(films, "new_figure", missing)
    made = films.show_films(tmp_path, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film-implants.png", "film.png"]
    assert "No drawings: drawing needs matplotlib" in film_sections(made)


def test_page_shows_a_volume_while_it_fills(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(20):
        ds = make_dataset(body_picture(96, 96, seed=k), bits_stored=12, InstanceNumber=k)
        ds.ImagePositionPatient = [0, 0, 3.0 * k]
        save(ds, folder / f"{k}.dcm")
    page = write_demo(tmp_path / "demo", folder)
    assert page.ok, page.problems
    text = page.path.read_text("utf-8")
    for words in ("1 slice of 20", "2 of 20 slices", "all 20 slices", "10, 9, 11, 8, 12", "from the bundle"):
        assert words in text
    pictures = page.path.parent / "pictures"
    shown = [np.asarray(Image.open(pictures / f"series-1-volume-{n}.png")) for n in (1, 2, 20)]
    assert len({picture.shape for picture in shown}) == 1
    # Axial cuts are the same from the first slice on; the others grow.
    axial = shown[0].shape[1]
    np.testing.assert_array_equal(shown[0][:axial], shown[2][:axial])
    lit = [int((picture[axial + 4 : -20] > 40).sum()) for picture in shown]
    assert lit[0] < lit[1] < lit[2]


def test_pixels_with_burned_in_names_are_not_drawn_as_volume(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(3):
        ds = make_dataset(body_picture(64, 64, seed=k), bits_stored=12, BurnedInAnnotation="YES")
        ds.ImagePositionPatient = [0, 0, float(k)]
        save(ds, folder / f"{k}.dcm")
    page = write_demo(tmp_path / "demo", folder)
    assert page.ok, page.problems
    assert not list((page.path.parent / "pictures").glob("*"))
    assert "3 x 64 x 64 int16" in page.path.read_text("utf-8")


def test_page_of_a_messy_folder_names_problems_and_no_patient(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(4):
        ds = make_dataset(
            body_picture(128, 128, seed=k), bits_stored=12, ImagePositionPatient=[0, 0, float(k)]
        )
        save(ds, folder / f"{k}.dcm")
    (folder / "notes.txt").write_text("x")
    (folder / "broken.dcm").write_bytes((folder / "0.dcm").read_bytes()[:3000])
    page = write_demo(tmp_path / "demo", folder)
    assert not page.ok
    assert any("broken.dcm" in problem for problem in page.problems)
    text = page.path.read_text("utf-8")
    assert "Pérson" not in text
    assert ds.SOPInstanceUID not in text
    (tmp_path / "demo" / "mine.txt").write_text("keep")
    write_demo(tmp_path / "demo", folder)
    assert (tmp_path / "demo" / "mine.txt").read_text() == "keep"
