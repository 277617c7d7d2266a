"""Files for cutters, SVG and DXF, by what other libraries read in them; folders that are not empty."""

import errno
import re
import sys
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest

import damage_reference as reference
from made_damage import BLOB, DOT, HEIGHT, RECTANGLE, RING, STROKE, WIDTH, mask_of_shapes, pieces_of
from spinekit import ArgumentError, ResourceError, UnsupportedError, _engine
from spinekit.damage.pieces import DamagedPieces

SVG = "{http://www.w3.org/2000/svg}"
INKSCAPE = "{http://www.inkscape.org/namespaces/inkscape}"
CUT = [RECTANGLE, RING, BLOB]
SCALES = [None, (0.0423, 0.0423), (0.1, 0.25)]


@pytest.fixture
def pieces():
    return pieces_of(mask_of_shapes(), boundary=(5, 6, 280, 190))


def points_of(path):
    """Corners of a closed path of straight lines."""
    pens = pytest.importorskip("fontTools.pens.recordingPen")
    parser = pytest.importorskip("fontTools.svgLib.path")
    pen = pens.RecordingPen()
    parser.parse_path(path, pen)
    names = [name for name, _ in pen.value]
    assert names == ["moveTo", *["lineTo"] * (len(names) - 2), "closePath"]
    points = np.array([points[0] for _, points in pen.value[:-1]])
    assert (points[0] == points[-1]).all()  # this reader draws the closing line
    return points[:-1]


def folder_bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- a file for each piece


@pytest.mark.parametrize("scale", SCALES)
def test_each_piece_has_the_references_file(tmp_path, pieces, scale):
    written = pieces.to_svg(tmp_path / "cut", mm_per_pixel=scale)
    assert [path.name for path in written.files] == [f"piece-{number:04d}.svg" for number in CUT]
    for path, number in zip(written.files, CUT, strict=True):
        assert path.read_bytes() == reference.svg(pieces.by_number(number).outline, scale).encode()
    assert written.left_out == (STROKE, DOT)
    assert written.sheet == tmp_path / "cut" / "pieces.svg"
    assert written.removed == ()
    assert sorted(folder_bytes(tmp_path / "cut")) == [*(path.name for path in written.files), "pieces.svg"]


@pytest.mark.parametrize("scale", [(0.0423, 0.0423), (0.1, 0.25)])
def test_a_file_is_the_piece_in_mm_at_the_origin(tmp_path, pieces, scale):
    written = pieces.with_scale(scale).to_svg(tmp_path)
    for path, number in zip(written.files, CUT, strict=True):
        root = ET.fromstring(path.read_text())
        (drawn,) = root
        move, grow = (
            np.array([float(value) for value in values.split(",")])
            for values in re.fullmatch(r"translate\((.*)\) scale\((.*)\)", drawn.get("transform")).groups()
        )
        outline = pieces.by_number(number).outline
        places = points_of(drawn.get("d")) * grow + move
        assert places == pytest.approx((outline - outline.min(axis=0)) * scale, abs=1e-3)
        width = float(root.get("width").removesuffix("mm"))
        assert width == pytest.approx(np.ptp(outline[:, 0]) * scale[0], abs=1e-4)
        assert root.get("viewBox") == f"0 0 {root.get('width')[:-2]} {root.get('height')[:-2]}"


def test_the_result_tells_what_was_written(tmp_path, pieces):
    written = pieces.to_svg(tmp_path / "cut")
    assert "3 pieces, and pieces.svg" in str(written)
    assert "left out, with fewer than three points: 3, 4" in str(written)


def test_names_have_the_digits_of_the_largest_number(tmp_path):
    found = pieces_of(mask_of_shapes()).to_dict()
    found["pieces"][1]["number"] = 12345
    many = DamagedPieces.from_dict(found)
    names = [path.name for path in many.to_svg(tmp_path).files]
    assert names == ["piece-00001.svg", "piece-00005.svg", "piece-12345.svg"]


def test_no_pieces_make_an_empty_sheet(tmp_path):
    written = pieces_of(np.zeros((4, 4), np.uint8)).to_svg(tmp_path)
    assert written.files == ()
    assert ET.fromstring(written.sheet.read_text()).findall(f".//{SVG}path") == []


# ---- the sheet


@pytest.mark.parametrize("scale", SCALES)
def test_the_sheet_has_all_pieces_at_their_places(tmp_path, pieces, scale):
    root = ET.fromstring(pieces.to_svg(tmp_path, mm_per_pixel=scale).sheet.read_text())
    sx, sy = scale or (1, 1)
    unit = "mm" if scale else "px"
    assert root.get("width") == f"{WIDTH * sx:.4f}{unit}"
    assert root.get("height") == f"{HEIGHT * sy:.4f}{unit}"
    assert root.get("viewBox") == f"0 0 {WIDTH * sx:.4f} {HEIGHT * sy:.4f}"
    layers = {group.get("id"): group for group in root.findall(f"{SVG}g")}
    assert list(layers) == ["boundary", "pieces", "numbers"]
    assert all(group.get(f"{INKSCAPE}groupmode") == "layer" for group in layers.values())
    paths = list(layers["pieces"])
    assert [path.get("id") for path in paths] == [f"piece-{number}" for number in CUT]
    for path, number in zip(paths, CUT, strict=True):
        piece = pieces.by_number(number)
        assert points_of(path.get("d")) == pytest.approx((piece.outline + 0.5) * (sx, sy), abs=1e-4)
        assert path.find(f"{SVG}title").text.startswith(f"piece {number}: {piece.area:.1f} px")
    for text, number in zip(layers["numbers"], CUT, strict=True):
        place = np.array([float(text.get("x")), float(text.get("y"))])
        assert text.text == str(number)
        centroid = np.array(pieces.by_number(number).centroid)
        assert place == pytest.approx((centroid + 0.5) * (sx, sy), abs=1e-4)
    edges = {
        rect.get("id"): [float(rect.get(key)) for key in ("x", "y", "width", "height")]
        for rect in layers["boundary"]
    }
    assert edges["scan"] == pytest.approx([0, 0, WIDTH * sx, HEIGHT * sy], abs=1e-4)
    assert edges["artwork"] == pytest.approx([5 * sx, 6 * sy, 280 * sx, 190 * sy], abs=1e-4)


def test_only_the_layer_of_pieces_can_be_cut(tmp_path, pieces):
    root = ET.fromstring(pieces.to_svg(tmp_path).sheet.read_text())
    assert {one.tag for one in root.find(f"{SVG}g[@id='numbers']")} == {f"{SVG}text"}
    assert root.find(f"{SVG}g[@id='boundary']").get("stroke-dasharray")
    assert {one.tag for one in root.find(f"{SVG}g[@id='pieces']")} == {f"{SVG}path"}
    assert root.find(f"{SVG}g[@id='pieces']").get("fill") == "none"


@pytest.mark.parametrize("size", [(100, 80), (16000, 16700)])
@pytest.mark.parametrize("count", [1, 5000])
def test_numbers_can_be_read_whatever_the_size_of_the_scan(tmp_path, size, count):
    found = pieces_of(np.zeros((4, 4), np.uint8)).to_dict()
    places = np.random.default_rng(1).integers(0, np.array(size) - 6, (count, 2))
    found |= {"width": size[0], "height": size[1]}
    found["pieces"] = [
        {"number": k, "outline": [[x, y], [x + 5, y], [x, y + 5]]}
        for k, (x, y) in enumerate(places.tolist(), 1)
    ]
    root = ET.fromstring(DamagedPieces.from_dict(found).to_svg(tmp_path).sheet.read_text())
    sizes = np.array([float(text.get("font-size")) for text in root.find(f"{SVG}g[@id='numbers']")])
    assert len(sizes) == count
    # Of a sheet that fills a screen of 1000 pixels: legible, or smaller where there are thousands.
    shown = 1000 * sizes / max(size)
    assert (shown >= (1 if count > 1000 else 8)).all()
    assert (shown < 20).all()


# ---- folders that are not empty


def fewer():
    mask = mask_of_shapes()
    mask[120:] = 0
    return pieces_of(mask)


def test_writing_again_replaces_our_own_files(tmp_path, pieces):
    pieces.to_svg(tmp_path)
    written = pieces.to_svg(tmp_path, mm_per_pixel=0.1)
    assert written.files[0].read_text() == pieces.with_scale(0.1)[0].svg()
    assert b"30.0000mm" in written.sheet.read_bytes()


def test_files_of_an_earlier_run_are_not_mixed_with_ours(tmp_path, pieces):
    pieces.to_svg(tmp_path)
    before = folder_bytes(tmp_path)
    with pytest.raises(ArgumentError, match=r"holds 1 files .* as 'piece-0005\.svg'; .*overwrite=True"):
        fewer().to_svg(tmp_path)
    assert folder_bytes(tmp_path) == before
    written = fewer().to_svg(tmp_path, overwrite=True)
    assert [path.name for path in written.removed] == ["piece-0005.svg"]
    assert "removed of an earlier run: 1" in str(written)
    assert sorted(folder_bytes(tmp_path)) == ["piece-0001.svg", "piece-0002.svg", "pieces.svg"]


def test_files_of_others_stay(tmp_path, pieces):
    others = {
        "piece-0007.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "piece-0008.svg": pieces[0].svg().replace("black", "red").encode(),
        "piece-1.svg": pieces[0].svg().encode(),
        "drawing.svg": b"",
        "notes.txt": b"mine",
    }
    for name, data in others.items():
        (tmp_path / name).write_bytes(data)
    pieces.to_svg(tmp_path)
    fewer().to_svg(tmp_path, overwrite=True)
    now = folder_bytes(tmp_path)
    assert {name: now[name] for name in others} == others


@pytest.mark.parametrize("name", ["piece-0002.svg", "pieces.svg"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_files_that_were_changed_by_hand_are_never_replaced(tmp_path, pieces, name, overwrite):
    pieces.to_svg(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes().replace(b"black", b"red"))
    before = folder_bytes(tmp_path)
    with pytest.raises(ArgumentError, match=rf"{name}' is in the way: it was not written by spinekit"):
        pieces.to_svg(tmp_path, overwrite=overwrite)
    assert folder_bytes(tmp_path) == before


def test_a_folder_in_a_files_place_is_left_alone(tmp_path, pieces):
    (tmp_path / "piece-0002.svg").mkdir()
    with pytest.raises(ArgumentError, match=r"piece-0002\.svg' is in the way"):
        pieces.to_svg(tmp_path, overwrite=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "piece-0002.svg"]


def test_a_full_disk_leaves_the_folder_as_it_was(tmp_path, pieces, monkeypatch):
    pieces.to_svg(tmp_path)
    before = folder_bytes(tmp_path)
    write, done = _engine.write_synced, []

    def full(path, data):
        if len(done) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append(path)
        write(path, data)

    monkeypatch.setattr(_engine, "write_synced", full)
    with pytest.raises(ResourceError, match=r"cannot be written to: No space left.*free some space"):
        pieces.to_svg(tmp_path, mm_per_pixel=0.1)
    assert folder_bytes(tmp_path) == before


def test_a_file_where_the_folder_should_be_is_named(tmp_path, pieces):
    (tmp_path / "cut").write_text("mine")
    with pytest.raises(ResourceError, match=r"cut' cannot be written"):
        pieces.to_svg(tmp_path / "cut")
    with pytest.raises(ArgumentError, match="mm_per_pixel: 0"):
        pieces.to_svg(tmp_path / "other", mm_per_pixel=0)
    assert not (tmp_path / "other").exists()


def test_many_pieces_are_written_whole(tmp_path):
    mask = np.zeros((400, 600), np.uint8)
    for y in range(5, 395, 20):
        for x in range(5, 595, 20):
            cv2.circle(mask, (x, y), 4, 255, -1)
    found = pieces_of(mask)
    written = found.to_svg(tmp_path)
    assert len(written.files) == len(found) == 600
    for path, piece in zip(written.files, found, strict=True):
        assert path.read_text() == reference.svg(piece.outline)
    assert len(list(tmp_path.iterdir())) == 601


# ---- DXF


@pytest.mark.parametrize("scale", SCALES)
def test_dxf_has_closed_polylines_with_y_upwards(tmp_path, pieces, scale):
    ezdxf = pytest.importorskip("ezdxf")
    pieces.to_dxf(tmp_path / "cut.dxf", mm_per_pixel=scale)
    document = ezdxf.readfile(tmp_path / "cut.dxf")
    audit = document.audit()
    assert not audit.errors
    assert not audit.fixes
    assert document.header["$INSUNITS"] == (4 if scale else 0)
    sx, sy = scale or (1, 1)
    lines = list(document.modelspace().query("LWPOLYLINE"))
    texts = list(document.modelspace().query("TEXT"))
    assert len(document.modelspace()) == len(lines) + len(texts)
    for line, text, number in zip(lines, texts, CUT, strict=True):
        piece = pieces.by_number(number)
        assert line.closed
        assert line.dxf.layer == "PIECES"
        expected = np.stack(
            [(piece.outline[:, 0] + 0.5) * sx, (HEIGHT - 0.5 - piece.outline[:, 1]) * sy], axis=1
        )
        assert np.array(list(line.vertices())) == pytest.approx(expected)
        assert text.dxf.text == str(number)
        assert text.dxf.layer == "NUMBERS"
        x, y = piece.centroid
        place = text.get_placement()[1]
        assert (place.x, place.y) == pytest.approx(((x + 0.5) * sx, (HEIGHT - 0.5 - y) * sy))


def test_dxf_of_no_pieces_can_be_opened(tmp_path):
    ezdxf = pytest.importorskip("ezdxf")
    pieces_of(np.zeros((4, 4), np.uint8), mm_per_pixel=0.1).to_dxf(tmp_path / "cut.dxf")
    document = ezdxf.readfile(tmp_path / "cut.dxf")
    assert not document.audit().errors
    assert document.header["$INSUNITS"] == 4
    assert len(document.modelspace()) == 0


def test_dxf_without_ezdxf_tells_what_to_install(tmp_path, pieces, monkeypatch):
    monkeypatch.setitem(sys.modules, "ezdxf", None)
    with pytest.raises(UnsupportedError, match=r"DXF needs ezdxf: pip install 'spinekit\[dxf\]'"):
        pieces.to_dxf(tmp_path / "cut.dxf")
    assert list(tmp_path.iterdir()) == []


def test_dxf_that_cannot_be_written_is_named(tmp_path, pieces):
    pytest.importorskip("ezdxf")
    with pytest.raises(ResourceError, match=r"cut\.dxf' cannot be written"):
        pieces.to_dxf(tmp_path / "missing" / "cut.dxf")
