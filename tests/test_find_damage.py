"""From scans to numbered pieces: what tests/damage_reference.py finds by OpenCV and NumPy, bit for bit."""

import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import damage_reference as reference
import spinekit as sk
from spinekit.damage import scans

BACKGROUND = [(6, 6, 20, 20)]
FOREGROUND = [(60, 40, 120, 20), (220, 60, 60, 90)]


def made_scan(seed=0, rows=320, columns=340, frame=30):
    """Return paper on white with holes of many shapes, some at its edge."""
    rng = np.random.default_rng(seed)
    scan = np.empty((rows, columns, 3), np.float32)
    scan[:] = (201, 178, 132)
    holes = np.ones((rows, columns), np.uint8)
    holes[frame : rows - frame, frame : columns - frame] = 0
    for _ in range(30):
        centre = rng.integers(0, (columns, rows)).tolist()
        axes = np.maximum(1, rng.pareto(1.5, 2) * 4).astype(int).clip(1, 30).tolist()
        cv2.ellipse(holes, centre, axes, rng.uniform(0, 180), 0, 360, 1, -1)
    for x, y, width, height in FOREGROUND:
        holes[y : y + height, x : x + width] = 0
    scan[holes > 0] = 250
    return np.clip(scan + rng.normal(0, 2, scan.shape), 0, 255).astype(np.uint8)


def plain_boxes(boxes):
    return [tuple(box) for box in boxes]


def expected_pieces(scan, boundary="none", join=False, order="grid", sizes=None, at_boundary="keep"):
    """Return what the reference finds; the margin is 10 of boundaries that are found."""
    rows, columns = scan.shape[:2]
    sizes = sizes or reference.Sizes(margin=10 if isinstance(boundary, str) else 0)
    sizes = reference.scaled(sizes, columns, rows)
    mask = reference.classify(scan, reference.fit(scan, BACKGROUND, FOREGROUND))
    box = reference.boundary(scan, boundary) if isinstance(boundary, str) else boundary
    return reference.damage(mask, sizes, box, join, order, at_boundary == "remove"), box


def assert_same(found, expected):
    assert [one.number for one in found] == [one.number for one in expected]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.outline, theirs.outline)
        assert (ours.area, ours.pixels, ours.box) == (theirs.area, theirs.pixels, theirs.box)
        assert ours.centroid == pytest.approx(theirs.centroid, abs=1e-9)


@pytest.fixture(scope="module")
def scan():
    return made_scan()


@pytest.fixture(scope="module")
def model(scan):
    return sk.ColorModel.fit(scan, background=BACKGROUND, foreground=FOREGROUND)


@pytest.mark.parametrize("at_boundary", ["keep", "remove"])
@pytest.mark.parametrize("boundary", ["none", "brightness", "edges", (25, 28, 290, 203), (0, 0, 340, 320)])
def test_pieces_are_those_of_the_reference(boundary, at_boundary, scan, model):
    expected, box = expected_pieces(scan, boundary, at_boundary=at_boundary)
    found = sk.find_damage(scan, model, boundary=boundary, at_boundary=at_boundary)
    assert found.boundary == box
    assert (box is None) == (boundary == "none")
    assert len(found) > 3
    assert_same(found, expected)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 9),
    join=st.booleans(),
    order=st.sampled_from(["grid", "row", "column", "simple"]),
    boundary=st.sampled_from(["none", "brightness", (30, 30, 280, 200)]),
    at_boundary=st.sampled_from(["keep", "remove"]),
    sizes=st.builds(
        reference.Sizes,
        min_area=st.integers(0, 40_000),
        max_area=st.sampled_from([0, 300_000, 900_000]),
        kernel=st.integers(1, 90),
        join=st.integers(1, 150),
        cell=st.integers(1, 2000),
        margin=st.integers(0, 300),
    ),
    workers=st.sampled_from([1, 2, 5]),
)
def test_every_option_means_what_the_reference_says(seed, join, order, boundary, at_boundary, sizes, workers):
    scan = made_scan(seed)
    model = sk.ColorModel.fit(scan, background=BACKGROUND, foreground=FOREGROUND)
    expected, _ = expected_pieces(scan, boundary, join, order, sizes, at_boundary)
    found = sk.find_damage(
        scan,
        model,
        boundary=boundary,
        at_boundary=at_boundary,
        margin=sizes.margin,
        kernel=sizes.kernel,
        join=join,
        morph_size=sizes.join,
        min_area=sizes.min_area,
        max_area=sizes.max_area or None,
        numbering=order,
        grid=sizes.cell,
        workers=workers,
    )
    assert_same(found, expected)


def test_files_give_the_pieces_of_their_array(scan, model, tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "plain.tif", scan, photometric="rgb", rowsperstrip=9)
    tifffile.imwrite(tmp_path / "tiles.tif", scan, photometric="rgb", compression="lzw", tile=(64, 48))
    tifffile.imwrite(tmp_path / "big.tif", scan, photometric="rgb", compression="deflate", bigtiff=True)
    cv2.imwrite(str(tmp_path / "scan.png"), scan[..., ::-1])
    for boundary in ("none", "brightness", "edges"):
        expected = sk.find_damage(scan, model, boundary=boundary)
        for path in sorted(tmp_path.iterdir()):
            for rows in (7, 300):
                monkeypatch.setattr(scans, "_ROWS", rows * 340 * 3)
                found = sk.find_damage(path, model, boundary=boundary)
                assert (found.source, found.boundary) == (path.name, expected.boundary)
                assert list(found) == list(expected)


def test_without_room_for_a_temporary_file_scans_are_read_again(scan, model, tmp_path, monkeypatch):
    from spinekit import _temporary

    path = tmp_path / "scan.png"
    cv2.imwrite(str(path), scan[..., ::-1])
    writes = []

    def full(file, data):
        writes.append(len(data))
        if len(writes) > 3:
            raise file._error("written", OSError(28, "No space left on device"))

    for boundary in ("brightness", "edges"):
        expected = sk.find_damage(scan, model, boundary=boundary)
        with monkeypatch.context() as patched:
            patched.setattr(scans, "_ROWS", 340 * 3 * 50)
            patched.setattr(_temporary.NamelessFile, "write", full)
            found = sk.find_damage(path, model, boundary=boundary)
            writes.clear()
        assert (found.boundary, list(found)) == (expected.boundary, list(expected))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
        assert list(sk.find_damage(path, model, boundary=boundary)) == list(expected)
        monkeypatch.setattr("tempfile.tempdir", None)


def test_sixteen_bits_and_grey_are_searched_too(scan):
    for pixels in (scan.astype(np.uint16) * 257, scan[..., 2]):
        model = sk.ColorModel.fit(pixels, background=BACKGROUND, foreground=FOREGROUND)
        found = sk.find_damage(pixels, model)
        mask = np.where(model.classify(pixels), 255, 0).astype(np.uint8)
        assert len(found) > 3
        assert_same(found, reference.damage(mask, reference.scaled(reference.Sizes(), 340, 320)))


def test_sizes_are_scaled_unless_told_otherwise(scan, model):
    found = sk.find_damage(scan, model, min_area=30_000)
    scaled = reference.scaled(reference.Sizes(min_area=30_000), 340, 320)
    assert scaled.min_area == 83
    assert found.settings["min_area"] == 30_000
    assert min(piece.area for piece in found) >= 83
    plain = sk.find_damage(scan, model, min_area=200, grid=50, scale=False)
    mask = reference.classify(scan, reference.fit(scan, BACKGROUND, FOREGROUND))
    sizes = reference.Sizes(min_area=200, kernel=3, join=9, cell=50)
    assert_same(plain, reference.damage(mask, sizes))


def test_a_tear_at_the_edge_is_kept():
    scan = np.full((700, 900, 3), 250)
    scan[100:600, 100:800] = (201, 178, 132)
    scan[300:360, 760:800] = 250  # open to the right
    scan = (scan + np.random.default_rng(0).integers(-4, 5, scan.shape)).astype(np.uint8)
    model = sk.ColorModel.fit(scan, background=[(5, 5, 80, 80)], foreground=[(150, 150, 400, 100)])
    found = sk.find_damage(scan, model, boundary="brightness")
    assert found.boundary == (101, 101, 700, 500)  # as the specification's closing of 20 x 20 moves it
    tear = max(found, key=lambda piece: piece.area)
    assert tear.area > 0.9 * 39 * 59
    assert abs(tear.box[0] - 760) <= 2
    assert abs(tear.box[1] - 300) <= 2


def test_a_boundary_that_is_not_found_is_said(model):
    plain = np.full((200, 300, 3), (201, 178, 132), np.uint8)
    found = sk.find_damage(plain, model, boundary="edges")
    assert (len(found), found.boundary) == (0, None)
    assert any("no boundary found by edges" in note for note in found.notes)


def test_lines_are_sought_in_a_preview_of_large_scans(model, monkeypatch):
    from spinekit.damage import searching

    monkeypatch.setattr(searching, "EDGES_SIDE", 340)
    scan = np.repeat(np.repeat(made_scan(), 3, axis=0), 3, axis=1)
    found = sk.find_damage(scan, model, boundary="edges")
    assert any("each pixel of which stands for 3 x 3" in note for note in found.notes)
    x, y, width, height = found.boundary
    assert np.abs(np.subtract((x, y, x + width, y + height), (90, 90, 930, 870))).max() <= 6


def test_why_there_is_no_piece_is_said(scan, model):
    found = sk.find_damage(scan, model, min_area=10**9)
    assert found.notes[0].startswith(
        "there are damaged pixels, but no piece is left of them: those at the scan's"
    )
    assert sk.find_damage(scan[40:60, 60:180], model).notes == (
        "no pixel is of the damage's colours: do the model's boxes fit this scan?",
    )
    found = sk.find_damage(scan, model, boundary=(30, 30, 280, 260), margin=9_000)
    assert found.notes[0].startswith("nothing is left of the boundary (30, 30, 280, 260) within a margin of ")


def test_a_limit_that_does_not_do_tells_one_that_does(scan, model, tmp_path):
    large = np.tile(scan, (12, 14, 1))
    Image.fromarray(large).save(tmp_path / "large.jpg", progressive=True, quality=80)
    with pytest.raises(sk.UnsupportedError, match=r"is progressive.* or raise the memory limit to ") as told:
        sk.find_damage(tmp_path / "large.jpg", model, memory_limit="64 MB")
    enough = str(told.value).rpartition("limit to ")[2]
    assert sk.find_damage(tmp_path / "large.jpg", model, memory_limit=enough).width == large.shape[1]
    with pytest.raises(sk.UnsupportedError, match="raise the memory limit to ") as told:
        model.classify(tmp_path / "large.jpg", memory_limit="48 MB")
    enough = str(told.value).rpartition("limit to ")[2]
    assert model.classify(tmp_path / "large.jpg", memory_limit=enough).shape == large.shape[:2]


def test_the_scale_of_a_file_is_used(scan, model, tmp_path):
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, scan, photometric="rgb", resolution=(600, 300), resolutionunit="INCH")
    found = sk.find_damage(path, model)
    assert found.mm_per_pixel == pytest.approx((25.4 / 600, 25.4 / 300))
    assert found[0].area_mm2 == pytest.approx(found[0].area * 25.4**2 / 180_000)
    assert sk.find_damage(path, model, mm_per_pixel=0.5).mm_per_pixel == (0.5, 0.5)
    assert sk.find_damage(scan, model)[0].area_mm2 is None


def test_contours_are_kept_if_wanted(scan, model):
    assert all(len(piece.contour) == 0 for piece in sk.find_damage(scan, model))
    expected, _ = expected_pieces(scan)
    for ours, theirs in zip(sk.find_damage(scan, model, contours=True), expected, strict=True):
        np.testing.assert_array_equal(ours.contour, theirs.contour)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boundary": "paper"}, r"boundary: 'paper', expected 'none', 'brightness', 'edges' or a box"),
        ({"boundary": (0, 0, 9)}, r"boundary: \(0, 0, 9\)"),
        ({"boundary": (300, 0, 90, 9)}, r"boundary: .* reaches outside; the picture has 340 x 320"),
        ({"boundary": (0, 0, 0, 9)}, r"boundary: .* is empty"),
        ({"at_boundary": "cut"}, r"at_boundary: 'cut', expected 'keep' or 'remove'"),
        ({"numbering": "size"}, r"numbering: 'size', expected 'grid', 'row', 'column' or 'simple'"),
        ({"kernel": 0}, r"kernel: 0, expected a whole number of pixels, 1 or more"),
        ({"kernel": 2.5}, r"kernel: 2.5"),
        ({"min_area": -1}, r"min_area: -1"),
        ({"min_area": 60, "max_area": 50}, r"max_area: 50, expected at least min_area, 60"),
        ({"margin": True}, r"margin: True"),
        ({"grid": 0}, r"grid: 0"),
        ({"epsilon": float("nan")}, r"epsilon: nan"),
        ({"memory_limit": "1 MB"}, r"memory_limit: '1 MB', expected at least 48 MB"),
        ({"memory_limit": "much"}, r"memory_limit: 'much', expected bytes, or a size such as '200 MB'"),
        ({"mm_per_pixel": 0}, r"mm_per_pixel: 0"),
        ({"workers": 0}, r"workers: 0"),
    ],
)
def test_options_that_cannot_be_are_told(options, message, scan, model):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.find_damage(scan, model, **options)


def test_models_that_find_no_damage_are_told(scan):
    with pytest.raises(sk.ArgumentError, match="none of its classes is damage"):
        sk.find_damage(scan, sk.ColorModel.fit(scan, classes={"paper": FOREGROUND}))
    with pytest.raises(sk.ArgumentError, match=r"model: str, expected a ColorModel"):
        sk.find_damage(scan, "model.json")


def test_more_pieces_than_there_is_room_for_are_refused(model):
    paper = np.full((8_000, 8_000, 3), (201, 178, 132), np.uint8)
    for y in range(8):
        for x in range(8):
            paper[4 + y :: 16, 4 + x :: 16] = 250
    with pytest.raises(sk.ResourceError, match=r"memory limit of 24000000 bytes at row \d+ of 8000"):
        sk.find_damage(paper, model, min_area=0, memory_limit="48 MB")


def test_files_that_are_damaged_are_named(scan, model, tmp_path):
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, scan, photometric="rgb")
    path.write_bytes(path.read_bytes()[:-50_000])
    with pytest.raises(sk.MalformedDataError, match=r"scan\.tif"):
        sk.find_damage(path, model)
    with pytest.raises(sk.ResourceError, match=r"none\.tif"):
        sk.find_damage(tmp_path / "none.tif", model)


@pytest.mark.slow
@pytest.mark.parametrize(("boundary", "workers"), [("none", 2), ("brightness", 2), ("brightness", 32)])
def test_memory_does_not_grow_with_the_scan(boundary, workers, model, tmp_path):
    path, stored = tmp_path / "scan.tif", tmp_path / "model.json"
    model.save(stored)
    tile = np.tile(made_scan()[30:230, 30:310], (20, 25, 1))
    scan = np.full((9_000, 15_000, 3), 250, np.uint8)
    scan[500 : 500 + len(tile), 500 : 500 + tile.shape[1]] = tile[:8_000]
    scan[4_500:8_500, 500 : 500 + tile.shape[1]] = tile
    tifffile.imwrite(path, scan, photometric="rgb", compression="lzw", rowsperstrip=64)
    del scan
    program = f"""
        import re
        import spinekit as sk
        def memory(name):
            return int(re.search(name + r":\\s*(\\d+)", open("/proc/self/status").read())[1])
        model = sk.ColorModel.load({str(stored)!r})
        before = memory("VmRSS")
        options = dict(boundary={boundary!r}, workers={workers}, memory_limit="96 MB")
        pieces = sk.find_damage({str(path)!r}, model, **options)
        assert len(pieces) > 1000, len(pieces)
        print(memory("VmHWM") - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) * 1024 < 96_000_000 + workers * 500_000
