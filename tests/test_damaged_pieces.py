"""Damaged pieces and their files, against the plain reference, closed forms and other libraries' readers."""

import csv
import json
import math
import pickle

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import damage_reference as reference
from made_damage import BLOB, DOT, HEIGHT, RECTANGLE, RING, STROKE, WIDTH, mask_of_shapes, pieces_of
from spinekit import ArgumentError, MalformedDataError, ResourceError, _core
from spinekit.damage.pieces import DamagedPieces

MICRONS = 0.0423


@pytest.fixture
def pieces():
    return pieces_of(mask_of_shapes())


@pytest.fixture
def scaled():
    return pieces_of(mask_of_shapes(), mm_per_pixel=(0.1, 0.2), boundary=(5, 6, 280, 190))


# ---- the sequence


def test_a_rectangle_has_the_values_of_its_closed_form(scaled):
    piece = scaled.by_number(RECTANGLE)
    assert piece.number == RECTANGLE
    assert piece.area == 19 * 9
    assert piece.pixels == 20 * 10
    assert piece.area_mm2 == pytest.approx(19 * 9 * 0.1 * 0.2)
    assert piece.centroid == (29.5, 14.5)
    assert piece.box == (20, 10, 20, 10)
    assert sorted(piece.outline.tolist()) == [[20, 10], [20, 19], [39, 10], [39, 19]]
    assert piece.outline.dtype == np.int32


def test_pieces_are_those_of_the_reference(pieces):
    expected = reference.numbered(reference.pieces(mask_of_shapes()), "simple")
    assert len(pieces) == len(expected) == 5
    for ours, theirs in zip(pieces, expected, strict=True):
        assert (ours.number, ours.area, ours.pixels) == (theirs.number, theirs.area, theirs.pixels)
        assert ours.box == theirs.box
        assert np.array_equal(ours.outline, theirs.outline)


def test_pieces_are_a_sequence(pieces):
    assert pieces[0].number == 1
    assert pieces[-1] == pieces.by_number(5) != pieces[0]
    assert [piece.number for piece in pieces[1:4:2]] == [2, 4]
    assert pieces[2] in pieces
    assert [piece.number for piece in reversed(pieces)] == [5, 4, 3, 2, 1]
    with pytest.raises(IndexError):
        pieces[5]


def test_there_is_no_piece_of_another_number(pieces):
    with pytest.raises(ArgumentError, match="number: 9, there is no such piece; numbers are 1, 2, 3, 4, 5"):
        pieces.by_number(9)
    with pytest.raises(ArgumentError, match="numbers are none"):
        pieces_of(np.zeros((4, 4), np.uint8)).by_number(1)


def test_contours_are_there_where_they_were_kept(pieces):
    assert pieces[1].contour.shape == (0, 2)
    kept = pieces_of(mask_of_shapes(), keep_contours=True)
    theirs = reference.numbered(reference.pieces(mask_of_shapes()), "simple")
    assert np.array_equal(kept[1].contour, theirs[1].contour)


def test_areas_add_up(scaled):
    assert scaled.area == sum(piece.area for piece in scaled)
    assert scaled.area_mm2 == pytest.approx(sum(piece.area_mm2 for piece in scaled))


def test_a_scale_is_given_to_a_copy(pieces):
    other = pieces.with_scale(0.5)
    assert other.mm_per_pixel == (0.5, 0.5)
    assert other[0].area_mm2 == pieces[0].area / 4
    assert pieces.mm_per_pixel is None
    assert pieces[0].area_mm2 is None
    assert pieces.area_mm2 is None
    assert pieces.with_scale(np.float32(0.5)).mm_per_pixel == (0.5, 0.5)
    assert pieces.with_scale((0.5, 1)).mm_per_pixel == (0.5, 1.0)


@pytest.mark.parametrize(
    "scale", [0, -1.0, math.nan, math.inf, True, "0.1", (0.1,), (0.1, 0.2, 0.3), (0.1, 0), [None, 1], {}]
)
def test_refuses_what_is_no_scale(pieces, scale):
    with pytest.raises(ArgumentError, match=r"mm_per_pixel: .*, finite and above 0"):
        pieces.with_scale(scale)


def test_of_the_source_the_name_alone_is_kept(tmp_path):
    found = pieces_of(mask_of_shapes(), source="/home/someone/private/scan.tif")
    found.to_json(tmp_path / "p.json")
    found.to_geojson(tmp_path / "p.geojson")
    found.to_svg(tmp_path / "cut")
    assert found.source == "scan.tif"
    for path in (tmp_path / "p.json", tmp_path / "p.geojson", tmp_path / "cut" / "pieces.svg"):
        assert "scan.tif" in path.read_text()
        assert "private" not in path.read_text()


def test_names_that_are_no_text_or_no_markup_are_written(tmp_path):
    found = pieces_of(mask_of_shapes(), source="a<b>&'\udc80\x01.tif", notes=["\udc80"])
    found.to_json(tmp_path / "p.json")
    found.to_geojson(tmp_path / "p.geojson")
    found.to_svg(tmp_path / "cut")
    assert json.loads((tmp_path / "p.json").read_text())["source"] == "a<b>&'?\x01.tif"
    assert "a&lt;b&gt;&amp;&#x27;??.tif" in (tmp_path / "cut" / "pieces.svg").read_text()
    assert "<b>" not in found._repr_html_()


def test_summaries_tell_what_was_found(scaled):
    text = str(scaled.with_scale(0.1))
    assert "5 damaged pieces in 'scan.tif', 300 x 200 pixels" in text
    assert f"the largest is piece {BLOB}" in text
    assert "scale 0.1 mm a pixel" in text
    assert "scale 0.1 x 0.2 mm a pixel" in str(scaled)
    assert "note: look" in str(pieces_of(mask_of_shapes(), notes=["look"]))
    assert "0 damaged pieces in a scan" in str(pieces_of(np.zeros((4, 4), np.uint8), source=None))
    assert repr(scaled[0]) == "<DamagedPiece 1: 171.0 px (3.42 mm²) at (29.5, 14.5)>"


def test_notebooks_show_the_first_twenty():
    mask = np.zeros((50, 400), np.uint8)
    mask[10:14, 10:380:12] = 255
    mask[10:14, 11:380:12] = 255
    shown = pieces_of(mask)._repr_html_()
    assert shown.count("<svg") == 20
    assert "and 11 more" in shown
    assert "<table" not in pieces_of(np.zeros((4, 4), np.uint8))._repr_html_()
    assert "<svg" in pieces_of(mask)[0]._repr_html_()


# ---- tables


@pytest.mark.parametrize("scale", [None, (0.1, 0.2)])
def test_csv_has_a_row_for_each_piece(tmp_path, scale):
    found = pieces_of(mask_of_shapes(), mm_per_pixel=scale)
    found.to_csv(tmp_path / "p.csv")
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == [1, 2, 3, 4, 5]
    expected = reference.numbered(reference.pieces(mask_of_shapes()), "simple")
    for row, piece in zip(rows, expected, strict=True):
        assert float(row["area_px"]) == piece.area
        assert int(row["pixels"]) == piece.pixels
        assert tuple(int(row[key]) for key in ("x", "y", "width", "height")) == piece.box
        assert float(row["centroid_x"]) == pytest.approx(piece.centroid[0])
        assert float(row["centroid_y"]) == pytest.approx(piece.centroid[1])
        if scale is None:
            assert row["area_mm2"] == ""
            assert "x_mm" not in row
        else:
            assert float(row["area_mm2"]) == pytest.approx(piece.area * 0.02)
            assert float(row["x_mm"]) == pytest.approx(piece.box[0] * 0.1)
            assert float(row["y_mm"]) == pytest.approx(piece.box[1] * 0.2)
            assert float(row["width_mm"]) == pytest.approx(piece.box[2] * 0.1)
            assert float(row["centroid_y_mm"]) == pytest.approx((piece.centroid[1] + 0.5) * 0.2)


def test_tables_are_records_of_numpy(scaled, pieces):
    table = scaled.table()
    assert table["area_px"].tolist() == [piece.area for piece in scaled]
    assert table["number"].dtype == np.int64
    assert np.isnan(pieces.table()["area_mm2"]).all()
    assert "x_mm" not in pieces.table().dtype.names
    assert pieces_of(np.zeros((4, 4), np.uint8)).table().shape == (0,)


# ---- GeoJSON


def read_features(found, path, **options):
    found.to_geojson(path, **options)
    collection = json.loads(path.read_text())
    assert collection["type"] == "FeatureCollection"
    assert collection["crs"] is None
    return collection["features"], collection["scan"]


def signed_area(ring):
    x, y = np.array(ring, float).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2


def test_geojson_rings_are_closed_and_counter_clockwise(tmp_path, scaled):
    features, about = read_features(scaled, tmp_path / "p.geojson")
    assert [feature["id"] for feature in features] == [1, 2, 3, 4, 5]
    assert about["width"] == WIDTH
    assert "y down" in about["coordinates"]
    for feature, piece in zip(features, scaled, strict=True):
        told = feature["properties"]
        assert told["area_px"] == piece.area
        assert told["area_mm2"] == piece.area_mm2
        assert told["box"] == list(piece.box)
        assert told["centroid"] == list(piece.centroid)
        if piece.number in (STROKE, DOT):
            assert feature["geometry"] is None
            continue
        (ring,) = feature["geometry"]["coordinates"]
        assert feature["geometry"]["type"] == "Polygon"
        assert ring[0] == ring[-1]
        assert signed_area(ring) == cv2.contourArea(piece.outline) > 0
        assert sorted(ring[:-1]) == sorted(piece.outline.tolist())


def test_geojson_of_maps_has_y_upwards_from_the_corner(tmp_path, pieces):
    features, about = read_features(pieces, tmp_path / "p.geojson", axes="map")
    (ring,) = features[0]["geometry"]["coordinates"]
    assert sorted(ring[:-1]) == [[20.5, -19.5], [20.5, -10.5], [39.5, -19.5], [39.5, -10.5]]
    assert signed_area(ring) == 19 * 9
    assert "y up" in about["coordinates"]
    with pytest.raises(ArgumentError, match="axes: 'up', expected 'image' or 'map'"):
        pieces.to_geojson(tmp_path / "q.geojson", axes="up")


# ---- JSON, and what people change in it


@pytest.mark.parametrize("keep_contours", [False, True])
def test_json_brings_everything_back(tmp_path, keep_contours):
    found = pieces_of(
        mask_of_shapes(),
        keep_contours=keep_contours,
        mm_per_pixel=(0.1, 1 / 3),
        boundary=(5, 6, 280, 190),
        notes=["변색"],
        seconds=1.25,
    )
    found.to_json(tmp_path / "p.json")
    again = DamagedPieces.from_json(tmp_path / "p.json")
    assert again == found
    assert list(again) == list(found)
    assert (again.width, again.height, again.source) == (WIDTH, HEIGHT, "scan.tif")
    assert again.mm_per_pixel == (0.1, 1 / 3)
    assert again.boundary == (5, 6, 280, 190)
    assert again.settings == found.settings
    assert (again.notes, again.seconds) == (("변색",), 1.25)
    assert again.by_number(RING).svg() == found.by_number(RING).svg()


def test_pieces_can_be_pickled(scaled):
    assert pickle.loads(pickle.dumps(scaled)) == scaled


def test_no_pieces_come_back_as_none(tmp_path):
    none = pieces_of(np.zeros((4, 4), np.uint8))
    none.to_json(tmp_path / "p.json")
    assert len(DamagedPieces.from_json(tmp_path / "p.json")) == 0


def test_each_piece_has_a_line_of_its_own(tmp_path, pieces):
    pieces.to_json(tmp_path / "p.json")
    lines = (tmp_path / "p.json").read_text().splitlines()
    assert sum(line.startswith('{"number"') for line in lines) == len(pieces)


def test_changed_outlines_are_measured_again(pieces):
    found = pieces.to_dict()
    corners = np.array([[50, 60], [120, 70], [110, 130], [40, 90]], np.int32)
    found["pieces"][0]["outline"] = corners.tolist()
    found["pieces"] = [found["pieces"][0], {"number": 17, "outline": [[1, 1], [9, 1], [5, 1]]}]
    corrected = DamagedPieces.from_dict(found)
    assert [piece.number for piece in corrected] == [1, 17]
    moments = cv2.moments(corners)
    piece = corrected[0]
    assert piece.area == cv2.contourArea(corners)
    assert piece.centroid == pytest.approx((moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]))
    assert piece.box == tuple(cv2.boundingRect(corners))
    assert piece.pixels is None
    assert corrected.table()["pixels"].tolist() == [-1, -1]
    assert corrected.by_number(17).area == 0
    assert corrected.by_number(17).centroid == (5.0, 1.0)
    assert "piece 1: its outline was changed or added by hand" in corrected.notes[0]
    assert "piece 17" in corrected.notes[1]
    # Written again they are what was found, and are not told of twice.
    assert DamagedPieces.from_dict(corrected.to_dict()) == corrected


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)), min_size=1, max_size=8))
def test_polygons_of_hands_are_measured_as_opencv_does(points):
    head = {"format": "spinekit damaged pieces", "version": 1, "width": 20_001, "height": 20_001}
    entry = {"number": 1, "outline": [list(point) for point in points]}
    (piece,) = DamagedPieces.from_dict(head | {"pieces": [entry]})
    corners = np.array(points, np.int32)
    assert piece.box == tuple(cv2.boundingRect(corners))
    assert piece.area == pytest.approx(cv2.contourArea(corners))
    if piece.area > 1000:
        expected = cv2.moments(corners)
        centre = expected["m10"] / expected["m00"], expected["m01"] / expected["m00"]
        assert piece.centroid == pytest.approx(centre, rel=1e-6, abs=1e-3)


def broken(change):
    found = pieces_of(mask_of_shapes()).to_dict()
    change(found)
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("pieces"), "'pieces' is missing"),
        (lambda f: f.update(format="something"), "format: 'something', expected 'spinekit damaged pieces'"),
        (lambda f: f.update(version=2), "version: 2, expected 1; a later spinekit may read it"),
        (lambda f: f.update(widht=3), "'widht' is unknown"),
        (lambda f: f.update(width=0), "width: 0, expected a whole number of at least 1"),
        (lambda f: f.update(height=2.5), r"height: 2\.5, expected a whole number"),
        (lambda f: f.update(mm_per_pixel=[1, 0]), r"mm_per_pixel\[1\]: 0, expected a number above 0"),
        (lambda f: f.update(mm_per_pixel=0.1), r"mm_per_pixel: 0\.1, expected a list of 2"),
        (lambda f: f.update(boundary=[0, 0, 5]), r"boundary: \[0, 0, 5\], expected a list of 4"),
        (lambda f: f.update(boundary=[0, 0, 0, 5]), r"boundary\[2\]: 0, expected a whole number"),
        (lambda f: f.update(settings=[]), r"settings: \[\], expected an object"),
        (lambda f: f.update(notes=[1]), r"notes\[0\]: 1, expected a text"),
        (lambda f: f.update(notes="a"), "notes: 'a', expected a list of texts"),
        (lambda f: f.update(source=1), "source: 1, expected a text"),
        (lambda f: f.update(seconds="x"), "seconds: 'x', expected a finite number"),
        (lambda f: f.update(pieces={}), r"pieces: \{\}, expected a list"),
        (lambda f: f["pieces"].append(7), r"pieces\[5\]: 7, expected an object with number, outline"),
        (lambda f: f["pieces"].append(f["pieces"][0]), r"pieces\[5\]\.number: 1 is there twice"),
        (lambda f: f["pieces"][2].update(number=0), r"pieces\[2\]\.number: 0, expected a whole number"),
        (lambda f: f["pieces"][2].pop("outline"), r"pieces\[2\]: 'outline' is missing"),
        (lambda f: f["pieces"][2].update(outline=[]), r"pieces\[2\]\.outline: \[\], expected a list"),
        (
            lambda f: f["pieces"][2]["outline"].append([1]),
            r"\.outline\[2\]: \[1\], expected points",
        ),
        (
            lambda f: f["pieces"][2]["outline"].append([1, 2.5]),
            r"\.outline\[2\]: \[1, 2\.5\], expected",
        ),
        (lambda f: f["pieces"][2]["outline"].append([True, 2]), r"\.outline\[2\]: \[True, 2\], expected"),
        (lambda f: f["pieces"][2]["outline"].append([300, 2]), r"\[300, 2\], .* of 300 x 200 pixels"),
        (lambda f: f["pieces"][2]["outline"].append([-1, 2]), r"\.outline\[2\]: \[-1, 2\], expected"),
        (lambda f: f["pieces"][0].update(area_px="a"), r"pieces\[0\]\.area_px: 'a', expected a finite"),
        (lambda f: f["pieces"][0].update(pixels=0), r"pieces\[0\]\.pixels: 0, expected a whole number"),
        (
            lambda f: f["pieces"][0].update(centroid=[1]),
            r"pieces\[0\]\.centroid: \[1\], expected a list",
        ),
        (lambda f: f["pieces"][0].update(colour=1), r"pieces\[0\]: 'colour' is unknown"),
    ],
)
def test_damaged_files_are_refused_by_name_and_key(tmp_path, change, message):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(broken(change)))
    with pytest.raises(MalformedDataError, match=r"'p\.json': .*" + message):
        DamagedPieces.from_json(path)


def test_files_that_are_cut_off_or_missing_are_refused(tmp_path, pieces):
    pieces.to_json(tmp_path / "p.json")
    whole = (tmp_path / "p.json").read_text()
    (tmp_path / "p.json").write_text(whole[: len(whole) // 2])
    with pytest.raises(MalformedDataError, match=r"'p\.json', line .*: no JSON"):
        DamagedPieces.from_json(tmp_path / "p.json")
    with pytest.raises(ResourceError, match="cannot be read"):
        DamagedPieces.from_json(tmp_path / "none.json")


@pytest.mark.parametrize("write", ["to_csv", "to_json", "to_geojson"])
def test_files_that_cannot_be_written_are_named(tmp_path, pieces, write):
    with pytest.raises(ResourceError, match=r"missing.*cannot be written"):
        getattr(pieces, write)(tmp_path / "missing" / "p")


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32),
    st.floats(0.05, 0.7),
    st.one_of(st.none(), st.tuples(*[st.floats(1e-6, 1e4, exclude_min=True)] * 2), st.just((0.0423, 0.0423))),
)
def test_svg_of_a_piece_is_the_references(seed, density, scale):
    noise = np.random.default_rng(seed).random((40, 50))
    mask = np.where(cv2.GaussianBlur(noise, (0, 0), 1) < np.quantile(noise, density), 255, 0).astype(np.uint8)
    for piece in pieces_of(mask, mm_per_pixel=scale):
        assert piece.svg() == reference.svg(piece.outline, scale)


def test_the_version_that_wrote_is_told(pieces):
    assert pieces.to_dict()["spinekit"] == _core.__version__


def test_files_hold_what_is_written(tmp_path, scaled):
    pytest.importorskip("ezdxf")
    forms = ("csv", "json", "geojson", "dxf")
    found = scaled.files([*forms, "svg"])
    for form in ("csv", "json", "geojson"):
        getattr(scaled, f"to_{form}")(tmp_path / "written")
        assert found.pop(f"pieces.{form}") == (tmp_path / "written").read_bytes()
    assert b"LWPOLYLINE" in found.pop("pieces.dxf")
    scaled.to_svg(tmp_path / "svg")
    assert found == {path.name: path.read_bytes() for path in (tmp_path / "svg").iterdir()}
    with pytest.raises(ArgumentError, match="formats: 'pdf', expected a list of svg, csv"):
        scaled.files(["svg", "pdf"])
    with pytest.raises(ArgumentError, match="scan: missing"):
        scaled.files(["overlay"])
