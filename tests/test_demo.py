"""The demo: a page with everything on it, nothing of the patient, nothing foreign touched."""

import re
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from conftest import body_picture, make_dataset, save
from spinekit.demo import cases, films, networks, write_demo
from spinekit.demo.film_sections import film_sections
from spinekit.demo.network_sections import network_sections

_SECTIONS = ("phantom", "filters", "segmented", "measured", "damage")


def test_page_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(cases, "CT_SPACING", (15.0, 1.6, 1.6))
    monkeypatch.setattr(films, "COUNT", 2)
    page = write_demo(tmp_path / "demo")
    assert page.ok, page.problems
    text = page.path.read_text("utf-8")
    sources = set(re.findall("src='([^']+)'", text))
    assert sources
    sources |= set(re.findall("href='(pictures/[^']+)'", text))
    assert "pictures/pieces.svg" in sources
    for source in sources:
        assert (page.path.parent / source).is_file(), source
    for place in re.findall("href='#([^']+)'", text):
        assert f"id='{place}'" in text
    assert "<script" not in text
    assert not re.search(r"https?://", text)
    for word in ("PSNR", "SSIM", "the header alone takes", "middle", "A film with known truth", "Measured"):
        assert word in text
    order = [text.index(f"<h2 id='{place}'>") for place in _SECTIONS]
    assert order == sorted(order)
    (tmp_path / "in").mkdir()
    save(make_dataset(body_picture(64, 64), bits_stored=12), tmp_path / "in" / "0.dcm")
    again = write_demo(tmp_path / "demo", tmp_path / "in")
    assert "id='damage'" not in again.path.read_text("utf-8")
    assert not (tmp_path / "demo" / "pictures" / "pieces.svg").exists()


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


@pytest.fixture(scope="module")
def of_networks(tmp_path_factory):
    """The folder of pictures, and what is told of them."""
    folder = tmp_path_factory.mktemp("networks")
    return folder, networks.show_networks(folder, 1)


def test_what_a_network_sees_is_shown(of_networks):
    cv2 = pytest.importorskip("cv2")
    folder, made = of_networks
    page = network_sections(made)
    shown = re.findall("src='pictures/([^']+)'", page)
    assert len(shown) == 7
    assert set(shown) == {path.name for path in folder.iterdir()}
    versions = [np.asarray(Image.open(folder / name)) for name in shown[:6]]
    equalise = cv2.createCLAHE(2.0, (8, 8)).apply
    np.testing.assert_array_equal(versions[1], equalise(versions[0]))
    np.testing.assert_array_equal(versions[2], equalise(versions[1]))
    np.testing.assert_array_equal(versions[4], equalise(versions[3]))
    assert f"{versions[0].shape[0]} x {versions[0].shape[1]}" in page
    assert "No trained weights ship" in page
    assert "notebooks/segmentation.ipynb" in page


def test_masks_that_are_drawn_are_the_phantoms(of_networks):
    folder, made = of_networks
    spine = sk.phantom.Spine.random(seed=films.SEED)
    masks = spine.masks(spine.view(networks.ROWS)) >= 0.5
    in_colour = masks[[0, 1, 2, 3, 4, 6, 7]].any(axis=0)  # the sacrum is white
    drawn = np.asarray(Image.open(folder / made.overlay)).astype(int)
    assert drawn.shape[:2] == in_colour.shape
    coloured = np.ptp(drawn, axis=2) > 8  # dark rims of letters are a little blue
    assert not (coloured & ~in_colour).any()
    assert (coloured & in_colour).sum() > 0.9 * in_colour.sum()


def test_the_engine_is_shown_beside_torch(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    pytest.importorskip("spinekit._infer")
    before = torch.get_rng_state(), torch.get_num_threads()
    made = networks.show_networks(tmp_path, 1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    assert made.problems == []
    own, *ways = made.beside.ways
    assert [way.precision for way in ways] == ["fp32", "bf16"]
    assert [way.threads for way in (own, *ways)] == [before[1], 1, 1]
    assert own.difference == 0
    assert 0 < ways[0].difference < 1e-4 < ways[1].difference < 2e-2  # bf16 has 8 bits, an epsilon of 2**-7
    page = network_sections(made)
    for words in ("torch, fp32", "Engine, fp32", "Engine, bf16", f"torch</b>{torch.__version__}"):
        assert words in page


def test_differences_are_relative_to_the_largest_logit_of_torch():
    ways = [networks.Timed("", 1), networks.Timed("fp32", 1), networks.Timed("bf16", 1)]
    logits = [np.array(values, np.float32) for values in ([1, -4], [1, -3.9], [np.nan, -4])]
    networks._run(ways, [lambda values=values: values for values in logits])
    assert ways[1].difference == pytest.approx(0.1 / 4, rel=1e-5)
    assert [len(way.seconds) for way in ways] == [networks.REPEATS] * 3
    problems = networks._problems(ways)
    assert len(problems) == 2
    assert "fp32 differ by 2.5e-02" in problems[0]
    assert "bf16 differ by nan" in problems[1]


def test_a_busy_machine_runs_a_network_less_often(monkeypatch):
    monkeypatch.setattr(networks, "ENOUGH", 0.01)
    way = networks.Timed("", 1)
    networks._run([way], [lambda: time.sleep(0.02) or np.ones(2)])
    assert len(way.seconds) == 1
    made = networks.Networks((9, 9), {}, 0.0, "", networks.Beside({"torch": "0"}, 1, 1, [way]))
    assert "only 1 of 5 rounds began" in network_sections(made)


def test_the_files_that_are_told_are_those_of_segment_files(tmp_path, of_networks):
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    pytest.importorskip("spinekit._infer")
    from made_networks import settled_network
    from spinekit import nn

    nn.save(settled_network([1.0] * 8), tmp_path / "w.safetensors")
    (tmp_path / "films").mkdir()
    Image.fromarray(np.eye(40, 30, dtype=np.uint8) * 200).save(tmp_path / "films" / "film.png")
    sk.segment_files(tmp_path / "films", tmp_path / "masks", tmp_path / "w.safetensors")
    written = {p.relative_to(tmp_path / "masks").as_posix() for p in (tmp_path / "masks").rglob("*.*")}
    page = network_sections(of_networks[1])
    first, *others = re.findall("<code>([^<]+)</code>", page)
    masks = {name for name in written if name.endswith(".png") and "/" in name}
    assert written - masks == set(others)
    assert len(masks) == 8
    assert set(first.split(" &hellip; ")) == {"film/L1.png", "FH2.png"}
    assert all(name.removeprefix("film/").removesuffix(".png") in page for name in masks)


def test_a_network_that_fails_is_a_problem_of_the_page(tmp_path, monkeypatch):
    def failing(*arguments):
        raise sk.ResourceError("not enough memory for the network")

    monkeypatch.setattr(networks, "_beside", failing)
    made = networks.show_networks(tmp_path, 1)
    assert made.problems == ["segmentation: not enough memory for the network"]
    assert "No network can run here: not enough memory" in network_sections(made)


@pytest.mark.parametrize("missing", ["torch", "safetensors"])
def test_without_torch_the_page_says_what_to_install(tmp_path, missing):
    if missing != "torch":
        pytest.importorskip("spinekit._infer")
    code = f"""
        import pathlib, sys
        sys.modules[{missing!r}] = None
        from spinekit.demo.network_sections import network_sections
        from spinekit.demo.networks import show_networks
        made = show_networks(pathlib.Path(sys.argv[1]), 1)
        assert made.problems == [], made.problems
        print(network_sections(made))
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "No network can run here" in done.stdout
    assert "pip install &#x27;spinekit[models]&#x27;" in done.stdout
    assert len(list(tmp_path.iterdir())) == 7


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
