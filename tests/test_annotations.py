"""Annotations of others: labelme, COCO, BUU-LSPINE, AASCE; their exact formats, made here."""

import json
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

import spinekit as sk
from spinekit.annotations.contours import area, outlines, simplified
from spinekit.measurement import BONES, CORNERS, VERTEBRAE

# As labelme 5.5 writes it, but for the picture within.
LABELME = {
    "version": "5.5.0",
    "flags": {},
    "shapes": [
        {
            "label": "L1",
            "points": [[10.0, 20.0], [50.0, 22.0], [50.0, 52.0], [10.0, 50.0]],
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        },
        {
            "label": "sacrum",
            "points": [[20, 80], [60, 90]],
            "group_id": None,
            "shape_type": "rectangle",
            "flags": {},
        },
        {
            "label": "L1 superior anterior",
            "points": [[10, 20]],
            "group_id": None,
            "shape_type": "point",
            "flags": {},
        },
        {"label": "S1_post", "points": [[60.5, 80.5]], "group_id": 1, "shape_type": "point", "flags": {}},
        {
            "label": "FH1",
            "points": [[40, 100], [40, 112]],
            "group_id": None,
            "shape_type": "circle",
            "flags": {},
        },
        {"label": "rod", "points": [[1, 1], [2, 2]], "group_id": None, "shape_type": "line", "flags": {}},
    ],
    "imagePath": "..\\films\\a.png",
    "imageData": None,
    "imageHeight": 128,
    "imageWidth": 96,
}
BUU_ROW = "{0:.4f},{1:.4f},{2:.4f},{3:.4f}"


def write_json(path, value):
    path.write_text(json.dumps(value))
    return path


def picture(path, rows=64, columns=48):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (columns, rows)).save(path)
    return path


def changed(index, **values):
    shapes = [dict(shape) for shape in LABELME["shapes"]]
    shapes[index] |= values
    return LABELME | {"shapes": shapes}


def full_landmarks():
    y = np.arange(5)[:, None] * 30.0 + np.array([10, 12, 30, 31])
    x = np.array([20.0, 60, 21, 61]) + np.arange(5)[:, None]
    return sk.Landmarks(
        vertebrae=np.stack([x, y], -1),
        sacrum=np.array([[25.0, 160], [58.25, 175]]),
        heads=np.array([[10.0, 190], [14, 193]]),
        radii=np.array([12.5, np.nan]),
    )


# labelme


def test_labelme_file_is_read(tmp_path):
    found = sk.annotations.read_labelme(write_json(tmp_path / "a.json", LABELME))
    assert found.shape == (128, 96)
    assert found.image == tmp_path / ".." / "films" / "a.png"
    # Half a pixel less: labelme counts from the corner of the first pixel.
    np.testing.assert_array_equal(found.landmarks.vertebrae[0, 0], [9.5, 19.5])
    np.testing.assert_array_equal(found.landmarks.sacrum, [[np.nan, np.nan], [60, 80]])
    np.testing.assert_array_equal(found.landmarks.heads[0], [39.5, 99.5])
    assert found.landmarks.radii[0] == 12
    assert np.isnan(found.landmarks.vertebrae[1:]).all()
    assert found.notes == {"other labels": ["rod"]}


def test_masks_hold_the_covered_share_of_each_pixel(tmp_path):
    found = sk.annotations.read_labelme(write_json(tmp_path / "a.json", LABELME))
    masks = found.masks()
    assert masks.shape == (8, 128, 96)
    assert masks.dtype == np.float32
    sums = dict(zip(BONES, masks.sum(axis=(1, 2)), strict=True))
    assert sums["L1"] == pytest.approx(40 * (30 + 30) / 2, rel=1e-3)
    assert sums["sacrum"] == pytest.approx(40 * 10, rel=1e-3)
    assert sums["FH1"] == pytest.approx(np.pi * 144, rel=2e-3)
    assert sums["L2"] == sums["FH2"] == 0
    # The rectangle runs from the corner of pixel 20 to that of pixel 60.
    assert masks[5, 85, 20:60].min() == 1
    assert masks[5, 85, [19, 60]].max() == 0
    centre = ndimage.center_of_mass(masks[0])
    assert centre == pytest.approx((35.5, 29.6), abs=0.2)


@given(st.lists(st.tuples(st.floats(-3, 23), st.floats(-3, 18)), min_size=3, max_size=3))
def test_coverage_of_a_triangle_is_its_area(corners):
    # Sutherland and Hodgman's clipping against the picture gives what must be covered.
    polygon = [(x, y) for x, y in corners]
    for axis, limit, keep in ((0, -0.5, 1), (0, 19.5, -1), (1, -0.5, 1), (1, 14.5, -1)):
        clipped = []
        for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True):
            da, db = keep * (a[axis] - limit), keep * (b[axis] - limit)
            if da >= 0:
                clipped.append(a)
            if (da < 0) != (db < 0):
                t = da / (da - db)
                clipped.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
        polygon = clipped
    expected = abs(area(np.array(polygon))) if len(polygon) > 2 else 0
    made = sk.annotations.Annotation(polygons={"L3": [np.array(corners)]})
    mask = made.masks((15, 20))[2]
    assert 0 <= mask.min() <= mask.max() <= 1
    assert mask.sum() == pytest.approx(expected, abs=0.7)


def test_outlines_that_cross_themselves_cover_every_loop():
    eight = np.array([[0, 0], [10, 10], [10, 0], [0, 10]]) - 0.5
    twice = np.array([[0, 0], [10, 0], [10, 10], [0, 10]] * 2) - 0.5
    made = sk.annotations.Annotation(polygons={"L1": [eight], "L2": [twice]}, shape=(10, 10))
    assert made.masks()[0].sum() == pytest.approx(50, abs=0.7)
    assert made.masks()[1].sum() == pytest.approx(100)


def test_large_outlines_are_painted_band_by_band():
    square = np.array([[0, 0], [2990, 30], [3000, 3000], [10, 2990]], float)
    made = sk.annotations.Annotation(polygons={"L1": [square]}, shape=(3001, 3001))
    mask = made.masks()[0]
    assert mask.sum(dtype=float) == pytest.approx(area(square), rel=1e-5)
    inner = mask[100:2900, 100:2900]
    assert inner.min() == inner.max() == 1


def test_outlines_beyond_the_picture_are_cut(tmp_path):
    found = sk.annotations.read_labelme(
        write_json(tmp_path / "a.json", changed(0, points=[[-30, -30], [20, -30], [20, 20], [-30, 20]]))
    )
    assert found.masks()[0].sum() == pytest.approx(400)
    assert found.masks((10, 10))[0].sum() == pytest.approx(100)


def test_labels_of_another_language_are_named(tmp_path):
    shapes = changed(0, label="LWK 1")
    shapes["shapes"][2]["label"] = "LWK 1 oben vorn"
    names = {"LWK 1": "L1", "LWK 1 oben vorn": "L1 superior anterior"}
    found = sk.annotations.read_labelme(write_json(tmp_path / "a.json", shapes), names=names)
    assert "L1" in found.polygons
    assert found.landmarks.vertebrae[0, 0, 0] == 9.5
    without = sk.annotations.read_labelme(tmp_path / "a.json")
    assert without.notes["other labels"] == ["LWK 1", "LWK 1 oben vorn", "rod"]


def test_the_size_comes_from_the_picture_where_the_file_has_none(tmp_path):
    picture(tmp_path / "a.png")
    value = {k: v for k, v in LABELME.items() if k not in ("imageHeight", "imageWidth")}
    found = sk.annotations.read_labelme(write_json(tmp_path / "a.json", value | {"imagePath": "a.png"}))
    assert found.shape == (64, 48)
    lost = sk.annotations.read_labelme(write_json(tmp_path / "a.json", value | {"imagePath": "b.png"}))
    assert lost.shape is None
    with pytest.raises(sk.ArgumentError, match=r"'a.json' does not say how large its picture is"):
        lost.masks()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "'a.json': list, expected a JSON object"),
        ({"shapes": 3}, "no list 'shapes'"),
        (changed(0, label=3), "shape 1: no text 'label'"),
        (changed(0, points=[[1, 2], [3, 4]]), r"shape 1 \('L1'\): 'points' are no list of at least 3 pairs"),
        (changed(0, points=[[1, 2], [3, "x"], [3, 4]]), "shape 1"),
        (changed(0, points=[[1, 2], [3, float("nan")], [3, 4]]), "shape 1"),
        (changed(2, points=[[1, 2], [3, 4]]), r"shape 3 \('L1 superior anterior'\): 2 points, expected 1"),
        (
            changed(3, label="L1 superior anterior"),
            r"shape 4 \('L1 superior anterior'\): this point is there twice",
        ),
        (changed(4, points=[[1, 2], [1, 2]]), "shape 5.*a circle of radius 0"),
        (LABELME | {"imageHeight": "128"}, "imageHeight is '128', expected a whole number > 0"),
        (LABELME | {"imageWidth": 0}, "imageWidth is 0"),
    ],
)
def test_refuses_what_is_no_labelme_file(tmp_path, value, message):
    with pytest.raises(sk.MalformedDataError, match=message):
        sk.annotations.read_labelme(write_json(tmp_path / "a.json", value))


def test_names_line_and_column_of_broken_json(tmp_path):
    (tmp_path / "a.json").write_text('{"shapes": [\n  {"label": }]}')
    with pytest.raises(sk.MalformedDataError, match=r"'a\.json', line 2, column 13: no JSON"):
        sk.annotations.read_labelme(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(sk.MalformedDataError, match="not UTF-8 at byte 0"):
        sk.annotations.read_labelme(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(sk.MalformedDataError, match=r"nested too deeply|no JSON"):
        sk.annotations.read_labelme(tmp_path / "a.json")


def test_refuses_a_picture_larger_than_any_film(tmp_path):
    huge = LABELME | {"imageHeight": 10**6, "imageWidth": 10**6}
    found = sk.annotations.read_labelme(write_json(tmp_path / "a.json", huge))
    with pytest.raises(sk.ResourceError, match="1000000 x 1000000"):
        found.masks()


@pytest.mark.parametrize("shape", [(1, 1 << 26), (70_000, 10)])
def test_refuses_a_picture_with_a_side_that_none_has(tmp_path, shape):
    # A line of 2^26 pixels would take gigabytes to paint, of a file of a hundred bytes.
    rows, columns = shape
    sliver = changed(0, points=[[0, 0], [columns, 0], [columns, rows]])
    sliver |= {"imageHeight": rows, "imageWidth": columns}
    found = sk.annotations.read_labelme(write_json(tmp_path / "a.json", sliver))
    with pytest.raises(sk.ResourceError, match="expected at most 65535 a side and"):
        found.masks()


def test_outlines_of_many_long_sides_take_little_memory():
    # Each side crosses every line: painted at once these would be 32 million crossings, some GB.
    sides = 4000
    comb = np.stack([np.arange(sides) % 100, np.arange(sides) % 2 * 500.0], 1)
    made = sk.annotations.Annotation(polygons={"L1": [comb]})
    tracemalloc.start()
    made.masks((501, 100))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 30


def test_outlines_far_beyond_the_picture_still_cover_it():
    far = np.array([[-1e300, -1e300], [1e300, -1e300], [1e300, 1e300], [-1e300, 1e300]])
    made = sk.annotations.Annotation(polygons={"L1": [far]})
    assert made.masks((5, 7))[0].min() == 1


def test_names_a_file_that_cannot_be_read(tmp_path):
    for read in (sk.annotations.read_labelme, sk.annotations.read_coco, sk.annotations.read_buu):
        with pytest.raises(sk.ResourceError, match=r"none\.json' cannot be read: .*; check the path"):
            read(tmp_path / "none.json")
    with pytest.raises(sk.ResourceError, match=r"a\.json' cannot be written: No such file"):
        sk.annotations.write_labelme(tmp_path / "no" / "a.json", shape=(4, 4))


def test_refuses_numbers_of_thousands_of_digits(tmp_path):
    (tmp_path / "a.json").write_text('{"imageHeight": ' + "9" * 5000 + "}")
    with pytest.raises(sk.MalformedDataError, match=r"'a\.json'"):
        sk.annotations.read_labelme(tmp_path / "a.json")


def test_landmarks_written_come_back(tmp_path):
    landmarks = full_landmarks()
    landmarks.vertebrae[2, 1] = np.nan
    sk.annotations.write_labelme(
        tmp_path / "out.json", landmarks=landmarks, shape=(220, 100), image=tmp_path / "films" / "a.png"
    )
    value = json.loads((tmp_path / "out.json").read_text())
    assert value["imagePath"] == "films/a.png"
    assert (value["imageHeight"], value["imageWidth"]) == (220, 100)
    kinds = [shape["shape_type"] for shape in value["shapes"]]
    assert (kinds.count("point"), kinds.count("circle")) == (19 + 2 + 1, 1)
    found = sk.annotations.read_labelme(tmp_path / "out.json")
    for name in ("vertebrae", "sacrum", "heads", "radii"):
        np.testing.assert_allclose(getattr(found.landmarks, name), getattr(landmarks, name), atol=1e-4)
    assert list(tmp_path.glob(".*")) == []


def test_masks_written_come_back(tmp_path):
    y, x = np.mgrid[:120, :100]
    masks = np.zeros((8, 120, 100), np.float32)
    masks[0] = np.clip(20.25 - np.hypot(y - 40.3, x - 50.6) + 0.5, 0, 1)
    masks[1] = masks[0] * (1 - np.clip(6 - np.hypot(y - 40, x - 50) + 0.5, 0, 1))
    masks[6, :30, 60:] = 1
    masks[6, 100:, :20] = 1
    sk.annotations.write_labelme(tmp_path / "out.json", masks=masks)
    found = sk.annotations.read_labelme(tmp_path / "out.json")
    assert {name: len(parts) for name, parts in found.polygons.items()} == {"L1": 1, "L2": 1, "FH1": 2}
    assert {name: len(parts) for name, parts in found.holes.items()} == {"L2": 1}
    back = found.masks()
    assert np.abs(back - masks).max() < 0.35
    np.testing.assert_allclose(back.sum(axis=(1, 2)), masks.sum(axis=(1, 2)), rtol=0.01)


def test_a_film_is_written_in_a_moment(tmp_path):
    y, x = np.mgrid[:1024, :800]
    masks = np.stack([np.hypot(y - 120 * (k + 1), x - 400) < 60 + k for k in range(8)])
    start = time.perf_counter()
    sk.annotations.write_labelme(tmp_path / "out.json", masks=masks)
    assert time.perf_counter() - start < 1
    assert (tmp_path / "out.json").stat().st_size < 200_000


def test_refuses_to_write_without_a_shape(tmp_path):
    with pytest.raises(sk.ArgumentError, match="needs the shape of the picture"):
        sk.annotations.write_labelme(tmp_path / "a.json", landmarks=sk.Landmarks())
    with pytest.raises(sk.ArgumentError, match=r"masks: shape \(3, 4, 4\), expected \(8, rows, columns\)"):
        sk.annotations.write_labelme(tmp_path / "a.json", masks=np.zeros((3, 4, 4)))
    with pytest.raises(sk.ArgumentError, match=r"shape is \(4, 5\), but the masks are of \(4, 4\)"):
        sk.annotations.write_labelme(tmp_path / "a.json", masks=np.zeros((8, 4, 4)), shape=(4, 5))
    assert not (tmp_path / "a.json").exists()


# outlines


@given(st.integers(0, 100_000), st.integers(1, 12), st.integers(1, 12))
def test_outlines_are_those_of_scikit_image(seed, rows, columns):
    measure = pytest.importorskip("skimage.measure")
    mask = np.random.default_rng(seed).random((rows, columns)).round(3)
    mask[mask == 0.5] = 0.501
    found = outlines(mask)
    theirs = measure.find_contours(np.pad(mask, 1), 0.5)
    # Cells with opposite corners inside may be cut either way: the crossings are the same, the chains not.
    ours = sorted(map(tuple, np.concatenate(found).round(9).tolist())) if found else []
    other = [(c - 1, r - 1) for one in theirs for r, c in one[:-1]]
    np.testing.assert_allclose(ours, sorted(tuple(np.round(p, 9)) for p in other))
    for one in found:
        assert np.abs(np.diff(np.concatenate([one, one[:1]]), axis=0)).max() <= 1


def test_outlines_know_holes_from_bones():
    mask = np.zeros((9, 9), bool)
    mask[1:8, 1:8] = True
    mask[4, 4] = False
    areas = sorted(area(one) for one in outlines(mask))
    assert areas == pytest.approx([-0.5, 48.5])
    assert outlines(np.zeros((4, 4))) == []


def test_fewer_points_leave_the_outline_by_less_than_allowed():
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    circle = 50 + 40 * np.stack([np.cos(turn), np.sin(turn)], 1)
    fewer = simplified(circle, 0.2)
    assert len(fewer) < 60
    assert area(fewer) == pytest.approx(area(circle), rel=0.01)
    square = np.array([[x, 0.0] for x in range(10)] + [[10.0, y] for y in range(10)] + [[0.0, 10.0]])
    assert len(simplified(square, 0.01)) == 4


# COCO


def coco(**changes):
    names = [f"{v}_{c.replace(' ', '_')}" for v in VERTEBRAE for c in CORNERS] + ["S1_ant", "S1_post", "FH1"]
    points = []
    for k in range(len(names)):
        points += [10.5 + k, 20 + 2 * k, 2]
    points[3 * 3 : 3 * 3 + 3] = [0, 0, 0]
    return {
        "info": {},
        "images": [
            {"id": 7, "file_name": "a.png", "height": 64, "width": 48},
            {"id": 9, "file_name": "b.png", "height": 32, "width": 24},
        ],
        "categories": [{"id": 1, "name": "spine", "keypoints": names, "skeleton": [[1, 2]]}],
        "annotations": [
            {
                "id": 1,
                "image_id": 7,
                "category_id": 1,
                "keypoints": points,
                "num_keypoints": 22,
                "bbox": [0, 0, 1, 1],
            }
        ],
    } | changes


def test_coco_key_points_are_read(tmp_path):
    first, second = sk.annotations.read_coco(write_json(tmp_path / "a.json", coco()))
    assert (first.shape, second.shape) == ((64, 48), (32, 24))
    assert first.image == tmp_path / "a.png"
    np.testing.assert_array_equal(first.landmarks.vertebrae[0, 0], [10.5, 20])
    np.testing.assert_array_equal(first.landmarks.vertebrae[4, 3], [29.5, 58])
    np.testing.assert_array_equal(first.landmarks.sacrum, [[30.5, 60], [31.5, 62]])
    np.testing.assert_array_equal(first.landmarks.heads, [[32.5, 64], [np.nan, np.nan]])
    assert np.isnan(first.landmarks.vertebrae[0, 3]).all()  # visibility 0
    assert np.isnan(second.landmarks.vertebrae).all()


def test_coco_with_a_category_for_each_bone(tmp_path):
    corners = [
        "superior anterior",
        "superior posterior",
        "inferior anterior",
        "inferior posterior",
        "pedicle",
    ]
    value = coco(
        categories=[{"id": k, "name": v, "keypoints": corners} for k, v in enumerate(VERTEBRAE)],
        annotations=[
            {
                "id": k,
                "image_id": 7,
                "category_id": k,
                "keypoints": [k, 1, 2, k, 2, 2, k, 3, 1, k, 4, 2, 0, 0, 2],
                "segmentation": [[1, 1, 11, 1, 11, 6, 1, 6]],
            }
            for k in range(5)
        ],
    )
    found = sk.annotations.read_coco(write_json(tmp_path / "a.json", value), images=tmp_path / "films")[0]
    np.testing.assert_array_equal(found.landmarks.vertebrae[..., 0], np.arange(5)[:, None] * np.ones(4))
    np.testing.assert_array_equal(found.landmarks.vertebrae[..., 1], np.ones((5, 1)) * [1, 2, 3, 4])
    assert found.image == tmp_path / "films" / "a.png"
    assert found.notes["not read"] == ["pedicle"] * 5
    # As pycocotools paints it: the polygon's corners are those of pixels.
    expected = np.zeros((64, 48))
    expected[1:6, 1:11] = 1
    np.testing.assert_allclose(found.masks()[0], expected, atol=1e-6)


def test_coco_run_lengths_are_noted(tmp_path):
    value = coco()
    value["annotations"][0]["segmentation"] = {"counts": "abc", "size": [64, 48]}
    found = sk.annotations.read_coco(write_json(tmp_path / "a.json", value))[0]
    assert found.notes["not read"] == ["run-length mask of 'spine'"]


def one_annotation(**values):
    return coco(annotations=[coco()["annotations"][0] | values])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"images": []}, "no list of objects 'categories', expected a COCO file"),
        (coco(images=[{"id": 1}]), "an image without id or file_name"),
        (coco(images=coco()["images"][:1] * 2), "two images have the id 7"),
        (one_annotation(image_id=3), "annotation 1: image_id 3 is none of the images"),
        (one_annotation(image_id=[7]), r"annotation 1: image_id \[7\] is none of the images"),
        (one_annotation(category_id=3), "annotation 1: category_id 3 is none of the categories"),
        (one_annotation(keypoints=[1, 2, 2]), "annotation 1: 3 numbers in 'keypoints', expected 69"),
        (one_annotation(keypoints=["a"] * 69), "annotation 1: 0 numbers in 'keypoints', expected 69"),
        (coco(categories=[{"id": 1, "name": "spine"}]), "its category has no list of names 'keypoints'"),
        (
            coco(annotations=coco()["annotations"] * 2),
            "key point 'L1_superior_anterior': this point is there twice",
        ),
        (
            coco(categories=[{"id": 1, "name": "person", "keypoints": [f"p{k}" for k in range(23)]}]),
            r"no key point has a name that is known: \['p0', .*names= can say which is which",
        ),
        (
            coco(
                categories=[
                    {"id": 1, "name": "person", "keypoints": [f"p{k}" for k in range(23)]},
                    {"id": 2, "name": "L1", "keypoints": None},
                ]
            ),
            "no key point has a name that is known",
        ),
        (coco(images=[{"id": 1.5, "file_name": "a.png"}]), "an image without id or file_name"),
        (
            coco(
                categories=[{"id": 1, "name": "L1"}],
                annotations=[{"id": 4, "image_id": 7, "category_id": 1, "segmentation": 5}],
            ),
            "annotation 4: a polygon that is no list of at least 3 pairs",
        ),
        (
            coco(
                categories=[{"id": 1, "name": "L1"}],
                annotations=[{"id": 4, "image_id": 7, "category_id": 1, "segmentation": [[1, 2, 3]]}],
            ),
            "annotation 4: a polygon that is no list of at least 3 pairs",
        ),
    ],
)
def test_refuses_what_is_no_coco_file(tmp_path, value, message):
    with pytest.raises(sk.MalformedDataError, match=message):
        sk.annotations.read_coco(write_json(tmp_path / "a.json", value))


# BUU-LSPINE


def buu_rows(landmarks, classes=None):
    ends = [e for v in landmarks.vertebrae for e in (v[:2], v[2:])] + [landmarks.sacrum]
    rows = [BUU_ROW.format(*e.ravel()) for e in ends]
    return rows if classes is None else [f"{row},{c}" for row, c in zip(rows, classes, strict=True)]


@pytest.mark.parametrize("classes", [None, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]])
def test_buu_file_is_read(tmp_path, classes):
    truth = full_landmarks()
    picture(tmp_path / "0001-F-037Y1.JPG")
    path = tmp_path / "0001-F-037Y1.csv"
    path.write_text("\r\n".join(buu_rows(truth, classes)) + "\r\n")
    found = sk.annotations.read_buu(path)
    np.testing.assert_allclose(found.landmarks.vertebrae, truth.vertebrae, atol=1e-4)
    np.testing.assert_allclose(found.landmarks.sacrum, truth.sacrum, atol=1e-4)
    assert np.isnan(found.landmarks.heads).all()
    assert found.image == tmp_path / "0001-F-037Y1.JPG"
    assert found.shape == (64, 48)
    assert found.notes == ({} if classes is None else {"classes": found.notes["classes"]})
    if classes:
        assert found.notes["classes"]["L5 superior"] == 1
        assert sum(found.notes["classes"].values()) == 1


def test_buu_without_its_picture(tmp_path):
    (tmp_path / "a.csv").write_text("\n".join(buu_rows(full_landmarks())))
    found = sk.annotations.read_buu(tmp_path / "a.csv")
    assert found.image is None
    assert found.shape is None


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda rows: rows[:10],
            r"10 rows, as of a frontal film, expected 11: superior and inferior endplates",
        ),
        (lambda rows: [*rows, rows[0]], "12 rows, expected 11"),
        (
            lambda rows: ["x1,y1,x2,y2", *rows],
            r"'a.csv', row 1, value 1: 'x1', expected a number: x1,y1,x2,y2",
        ),
        (lambda rows: [*rows[:3], "1,2,3", *rows[4:]], r"'a.csv', row 4: 3 values, expected 4 or 5"),
        (lambda rows: [*rows[:3], "1,2,3,4_0", *rows[4:]], r"row 4, value 4: '4_0', expected a number"),
        (lambda rows: [*rows[:3], "1,2,3,nan", *rows[4:]], r"row 4, value 4: 'nan', expected a number"),
        (lambda rows: [*rows[:3], "1,2,1,2", *rows[4:]], r"row 4: both ends of L2 inferior at \[1.0, 2.0\]"),
        (lambda rows: [], "0 rows, expected 11"),
    ],
)
def test_refuses_what_is_no_buu_file(tmp_path, edit, message):
    (tmp_path / "a.csv").write_text("\n".join(edit(buu_rows(full_landmarks()))))
    with pytest.raises(sk.MalformedDataError, match=message):
        sk.annotations.read_buu(tmp_path / "a.csv")


# AASCE 2019


def aasce_rows(count=2):
    v, c = np.mgrid[:17, :4]
    x, y = 0.4 + 0.1 * (c % 2), 0.05 + 0.05 * v + 0.03 * (c // 2)
    return [",".join(f"{value + 0.001 * k:.6f}" for value in [*x.ravel(), *y.ravel()]) for k in range(count)]


def aasce_folder(folder, **files):
    files = {
        "landmarks": aasce_rows(),
        "angles": ["10.5,3,20", "1,2,3"],
        "filenames": ["a.jpg", "b.jpg"],
    } | files
    for name, rows in files.items():
        if rows is not None:
            (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_aasce_folder_is_read(tmp_path):
    picture(tmp_path / "films" / "a.jpg", rows=200, columns=100)
    first, second = sk.annotations.read_aasce(aasce_folder(tmp_path), images=tmp_path / "films")
    assert first.corners.shape == (17, 4, 2)
    # Top left, top right, bottom left, bottom right of the uppermost and of the lowest vertebra.
    np.testing.assert_allclose(first.corners[0], [[40, 10], [50, 10], [40, 16], [50, 16]])
    np.testing.assert_allclose(first.corners[16], [[40, 170], [50, 170], [40, 176], [50, 176]])
    np.testing.assert_array_equal(first.angles, [10.5, 3, 20])
    assert second.image == tmp_path / "films" / "b.jpg"
    assert second.shape is None
    np.testing.assert_allclose(second.normalised[0, 0], [0.401, 0.051])
    with pytest.raises(sk.ArgumentError, match="the picture's size is not known"):
        second.corners  # noqa: B018


def test_aasce_without_angles_and_names(tmp_path):
    films = sk.annotations.read_aasce(aasce_folder(tmp_path, angles=None, filenames=None))
    assert len(films) == 2
    assert np.isnan(films[0].angles).all()
    assert films[0].image is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"landmarks": None}, "no landmarks.csv in it, expected the layout of AASCE 2019"),
        (
            {"landmarks": [aasce_rows()[0], "0.1,0.2"]},
            "'landmarks.csv', row 2: 2 values, expected 136: 68 x, then 68 y",
        ),
        ({"landmarks": ["x" + aasce_rows()[0], aasce_rows()[0]]}, "row 1, value 1: 'x0.4"),
        ({"landmarks": [",".join(["100"] * 136)] * 2}, "film 1: 100, expected shares of width and height"),
        ({"angles": ["1,2,3"]}, "'angles.csv': 1 rows, expected 2 as in landmarks.csv"),
        ({"angles": ["1,2", "1,2"]}, "'angles.csv', row 1: 2 values, expected 3: three Cobb angles"),
        ({"filenames": ["a.jpg"]}, "'filenames.csv': 1 rows, expected 2"),
    ],
)
def test_refuses_what_is_no_aasce_folder(tmp_path, files, message):
    with pytest.raises(sk.MalformedDataError, match=message):
        sk.annotations.read_aasce(aasce_folder(tmp_path, **files))


@given(st.text(max_size=40))
def test_any_label_is_a_point_or_none(label):
    from spinekit.annotations.reading import bone_of, point_of

    bone_of(label, {})
    point_of(label, {})


def test_annotations_show_what_they_hold_in_a_line(tmp_path):
    read = sk.annotations.read_labelme(write_json(tmp_path / "a.json", LABELME))
    assert repr(read) == "<Annotation: 3 key points, outlines: L1, sacrum, FH1; 128 x 96; a.json>"
    assert repr(sk.annotations.Annotation()) == "<Annotation: 0 key points, outlines: none; no source>"
