"""Colour models against NumPy, OpenCV and scikit-learn, on all colours, on paintings, hostile input."""

import json
import math
import pickle
import re
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

import spinekit as sk
from spinekit import _core

BOX = [(0, 0, 8, 8)]


# ---- the definition, in NumPy and OpenCV alone


def plain_features8(rgb):
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    return np.concatenate([lab, hsv[..., 1:2]], axis=-1).astype(np.float64)


def plain_features16(rgb):
    v = rgb / 65535.0
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.412453, 0.35758, 0.180423], [0.212671, 0.71516, 0.072169], [0.019334, 0.119193, 0.950227]]
    )
    x, y, z = np.moveaxis(linear @ to_xyz.T / (0.950456, 1, 1.088754), -1, 0)
    fx, fy, fz = (np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116) for t in (x, y, z))
    most, least = rgb.max(axis=-1).astype(float), rgb.min(axis=-1)
    lightness = np.where(y > 0.008856, 116 * fy - 16, 903.3 * y)
    saturation = np.where(most > 0, (most - least) / np.maximum(most, 1), 0)
    return np.stack(
        [2.55 * lightness, 500 * (fx - fy) + 128, 200 * (fy - fz) + 128, 255 * saturation], axis=-1
    )


def plain_d2(x, component):
    d = [x[..., i] - component.mean[i] for i in range(4)]
    total = 0.0
    for i in range(4):
        row = d[0] * component.inverse[i][0]
        for j in range(1, 4):
            row = row + d[j] * component.inverse[i][j]
        total = total + d[i] * row
    return total


def plain_scores(x, model):
    """Return scores of each class, and the least d2 of all."""
    scores = np.full((*x.shape[:-1], len(model.classes)), np.inf)
    least = np.full(x.shape[:-1], np.inf)
    for component in model._model.components:
        d2 = plain_d2(x, component)
        np.minimum(least, d2, out=least)
        at = component.label
        scores[..., at] = np.minimum(scores[..., at], d2 + component.offset)
    return scores, least


def plain_labels(x, model):
    scores, least = plain_scores(x, model)
    labels = scores.argmin(axis=-1)
    return np.where(least > (model.reject or math.inf), 255, labels).astype(np.uint8)


def paper(shape=(60, 80), dtype=np.uint8, seed=0):
    """Return yellowed paper with holes that show a white scanner, and where they are."""
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max / 255
    picture = rng.normal((196, 172, 128), (9, 9, 12), (*shape, 3))
    holes = np.zeros(shape, bool)
    holes[10:30, 40:60] = holes[40:50, 5:15] = True
    picture[holes] = rng.normal((246, 246, 244), 3, (holes.sum(), 3))
    return np.clip(picture * top, 0, np.iinfo(dtype).max).astype(dtype), holes


def paper_model(dtype=np.uint8, **options):
    picture, _ = paper(dtype=dtype)
    background = [(42, 12, 14, 6), (6, 41, 5, 5)]
    return sk.ColorModel.fit(picture, background, [(0, 0, 35, 9), (62, 0, 18, 60)], **options)


def three_classes(dtype=np.uint8, **options):
    picture, _ = paper(dtype=dtype)
    picture[35:39, 20:60] = np.array([90, 60, 50]) * (257 if dtype == np.uint16 else 1)
    picture[35:39, 20:60] += np.random.default_rng(1).integers(0, 20, (4, 40, 3)).astype(dtype)
    boxes = {"paper": [(0, 0, 35, 9)], "hole": [(42, 12, 14, 6)], "stain": [(21, 35, 30, 4)]}
    return sk.ColorModel.fit(picture, classes=boxes, **options)


MODELS = {
    "two classes": paper_model,
    "qda": lambda: paper_model(rule="qda"),
    "rejecting": lambda: paper_model(reject=30.0),
    "three classes": three_classes,
    "three classes, qda, rejecting": lambda: three_classes(rule="qda", reject=18.5),
}


# ---- 8 bits: every colour there is


@pytest.fixture(scope="module")
def all_colours():
    """Return all colours as a picture of 4096 x 4096."""
    k = np.arange(1 << 24, dtype=np.uint32)
    return np.stack([k, k >> 8, k >> 16], axis=-1).astype(np.uint8).reshape(4096, 4096, 3)


@pytest.fixture(scope="module")
def all_features(all_colours):
    lab = cv2.cvtColor(all_colours, cv2.COLOR_RGB2LAB)
    return lab, cv2.cvtColor(all_colours, cv2.COLOR_RGB2HSV)[..., 1]


@pytest.mark.parametrize(
    "name", [name if name == "two classes" else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
)
def test_every_colour_is_decided_as_the_definition_says(name, all_colours, all_features):
    model = MODELS[name]()
    labels = model.labels(all_colours)
    mask = model.classify(all_colours)
    lab, saturation = all_features
    for start in range(0, 4096, 512):
        rows = slice(start, start + 512)
        x = np.concatenate([lab[rows], saturation[rows, :, None]], axis=-1).astype(np.float64)
        np.testing.assert_array_equal(labels[rows], plain_labels(x, model))
    damage = [model.classes.index(name) for name in model.damage]
    np.testing.assert_array_equal(mask, np.isin(labels, damage) if damage else labels)


def test_damage_is_where_the_foreground_is_farther():
    picture, holes = paper()
    model = paper_model()
    x = plain_features8(picture)
    least = {
        name: np.min([plain_d2(x, one) for one in model._model.components if one.label == k], axis=0)
        for k, name in enumerate(model.classes)
    }
    mask = model.classify(picture)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, least["foreground"] > least["background"])
    np.testing.assert_array_equal(mask, holes)
    found = model.distances(picture)
    np.testing.assert_array_equal(found, np.stack([least["foreground"], least["background"]], axis=-1))


def test_a_tie_is_foreground():
    picture, _ = paper()
    model = sk.ColorModel.fit(picture, [(0, 0, 20, 9)], [(0, 0, 20, 9)])
    assert not model.classify(picture).any()
    assert not model.labels(picture).any()
    assert not model.confidence(picture).any()


def test_inverse_and_determinant_are_those_of_the_covariance():
    for component, found in zip(paper_model().components, paper_model()._model.components, strict=True):
        np.testing.assert_allclose(found.inverse, np.linalg.inv(component.covariance), rtol=1e-9, atol=1e-9)
        assert found.log_determinant == pytest.approx(np.linalg.slogdet(component.covariance)[1], rel=1e-12)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 63), (1, 64), (1, 65), (7, 129), (3, 16385), (300, 1), (129, 257)]
)
def test_pictures_of_every_width(shape):
    model, labelling = paper_model(), three_classes()
    for dtype in (np.uint8, np.uint16):
        picture = np.random.default_rng(3).integers(0, np.iinfo(dtype).max, (*shape, 3), dtype, True)
        features = plain_features8 if dtype == np.uint8 else plain_features16
        np.testing.assert_array_equal(model.classify(picture), plain_labels(features(picture), model) == 1)
        np.testing.assert_array_equal(labelling.labels(picture), plain_labels(features(picture), labelling))


# ---- 16 bits


def test_features_of_16_bits_are_those_of_the_formulas():
    picture = np.random.default_rng(0).integers(0, 65536, (64, 64, 3), np.uint16)
    picture[0, :3] = [(0, 0, 0), (65535, 65535, 65535), (1, 0, 0)]
    found = _core.colour_features(picture, _core.Executor(1), _core.CancelToken())
    np.testing.assert_allclose(found, plain_features16(picture), rtol=1e-12, atol=1e-10)


def test_features_of_16_bits_are_close_to_those_of_opencv():
    picture = np.random.default_rng(0).integers(0, 65536, (256, 256, 3), np.uint16)
    found = _core.colour_features(picture, _core.Executor(1), _core.CancelToken())
    single = (picture / 65535).astype(np.float32)
    lab = cv2.cvtColor(single, cv2.COLOR_RGB2LAB) * (2.55, 1, 1) + (0, 128, 128)
    saturation = cv2.cvtColor(single, cv2.COLOR_RGB2HSV)[..., 1] * 255
    # Its code for float takes L, a and b from a table of 33^3 colours.
    assert np.abs(found[..., :3] - lab).max() < 1.5
    assert np.abs(found[..., 3] - saturation).max() < 1e-2


def test_features_of_16_bits_lie_about_those_of_8():
    eight = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    wide = _core.colour_features(eight * np.uint16(257), _core.Executor(1), _core.CancelToken())
    assert np.abs(wide - plain_features8(eight)).max() < 2.5  # in the dark; 0.3 on average


@pytest.mark.parametrize("name", [*MODELS, "one colour"])
def test_decisions_of_16_bits_are_those_of_the_definition(name):
    options = {"two classes": {}, "qda": {"rule": "qda"}, "rejecting": {"reject": 30.0}}
    if name == "one colour":
        picture, _ = paper(dtype=np.uint16)
        picture[10:30, 40:60] = 65535
        with pytest.warns(UserWarning, match="one colour"):
            model = sk.ColorModel.fit(picture, [(42, 12, 14, 6)], [(0, 0, 35, 9)])
    elif name in options:
        model = paper_model(np.uint16, **options[name])
    else:
        model = three_classes(
            np.uint16, **({} if name == "three classes" else {"rule": "qda", "reject": 18.5})
        )
    rng = np.random.default_rng(5)
    wild = rng.integers(0, 65536, (500, 1000, 3), np.uint16)
    wild[:50] >>= 6  # dark: the straight part of the curve
    near = np.concatenate([paper((60, 80), np.uint16, seed)[0] for seed in range(20)])
    near[::3, ::2] = 65535 - rng.integers(0, 40, near[::3, ::2].shape).astype(np.uint16)
    for picture in (wild, near):
        x = plain_features16(picture)
        scores, least = plain_scores(x, model)
        ordered = np.sort(scores, axis=-1)
        clear = ordered[..., 1] - ordered[..., 0] > 1e-9 * np.maximum(1, np.abs(ordered[..., 1]))
        if model.reject:
            clear &= np.abs(least - model.reject) > 1e-9 * model.reject
        assert clear.mean() > 0.9999
        np.testing.assert_array_equal(model.labels(picture)[clear], plain_labels(x, model)[clear])


def test_float32_is_nearly_always_enough():
    picture, holes = paper((600, 800), np.uint16)
    np.testing.assert_array_equal(paper_model(np.uint16).classify(picture), holes)


# ---- grey, layouts, threads


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_is_rgb_of_equal_samples(dtype):
    grey = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1)
    picture = np.random.default_rng(0).integers(0, 90, (60, 80), dtype)
    picture[:, 40:] += np.iinfo(dtype).max // 2
    model = sk.ColorModel.fit(picture, [(41, 0, 30, 50)], [(0, 0, 30, 50)])
    as_rgb = np.repeat(grey[..., None], 3, axis=2)
    for of in (model.classify, model.labels, model.confidence, model.distances):
        np.testing.assert_array_equal(of(grey), of(as_rgb))
    both = sk.ColorModel.fit(np.repeat(picture[..., None], 3, axis=2), [(41, 0, 30, 50)], [(0, 0, 30, 50)])
    assert both == model
    assert 0 < model.classify(grey).mean() < 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays_may_lie_in_memory_in_any_way(dtype):
    picture, _ = paper((90, 70), dtype)
    model = paper_model(dtype)
    mask = model.classify(picture)
    wide = np.zeros((90, 200, 3), dtype)
    wide[:, 100:170] = picture
    turned = np.ascontiguousarray(picture.transpose(1, 0, 2)).transpose(1, 0, 2)
    flipped = np.ascontiguousarray(picture[::-1, ::-1])[::-1, ::-1]
    bgr = np.ascontiguousarray(picture[..., ::-1])[..., ::-1]
    other = picture.astype(picture.dtype.newbyteorder())
    locked = picture.copy()
    locked.setflags(write=False)
    for same in (wide[:, 100:170], turned, flipped, bgr, other, locked, np.asfortranarray(picture)):
        before = same.copy()
        np.testing.assert_array_equal(model.classify(same), mask)
        np.testing.assert_array_equal(same, before)
    np.testing.assert_array_equal(model.classify(picture[::-1]), mask[::-1])
    np.testing.assert_array_equal(model.classify(np.broadcast_to(picture[:1], (5, 70, 3))), mask[[0] * 5])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_results_do_not_depend_on_the_number_of_workers(dtype):
    picture, _ = paper((701, 503), dtype)
    for make in (paper_model, three_classes):
        made = [make(dtype) for _ in range(3)]
        for of in ("classify", "labels", "confidence", "distances"):
            one, two, eight = (
                getattr(model, of)(picture, workers=n) for model, n in zip(made, (1, 2, 8), strict=True)
            )
            np.testing.assert_array_equal(one, two)
            np.testing.assert_array_equal(one, eight)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [True, False])
def test_packed_rows_are_those_of_the_bytes(dtype, colour):
    rng = np.random.default_rng(4)
    model = paper_model(dtype)._model
    for rows, columns in ((1, 1), (5, 63), (4, 64), (300, 65), (3, 16385), (2, 40000)):
        picture = rng.integers(100, 256, (rows, columns, 3)).astype(dtype)
        picture *= dtype(np.iinfo(dtype).max // 255)
        if not colour:
            picture = np.ascontiguousarray(picture[..., 0])
        wide = np.repeat(picture, 2, axis=0)[::2]
        for workers in (1, 2, 8):
            executor, cancel = _core.Executor(workers), _core.CancelToken()
            mask = _core.DamageMask(
                model, [False, True], 8 * np.dtype(dtype).itemsize, colour, executor, cancel
            )
            expected = np.zeros((rows, columns), bool)
            mask.picture(picture, expected, executor, cancel)
            for same in (picture, wide):
                packed = np.full((rows, -(-columns // 64)), 2**64 - 1, np.uint64)
                mask.packed(same, packed, executor, cancel)
                bits = np.unpackbits(packed.view(np.uint8), axis=1, bitorder="little")
                np.testing.assert_array_equal(bits[:, :columns], expected)
                assert not bits[:, columns:].any()


def test_packed_rows_go_only_where_they_fit():
    executor, cancel = _core.Executor(1), _core.CancelToken()
    mask = _core.DamageMask(paper_model()._model, [False, True], 8, True, executor, cancel)
    picture = np.zeros((3, 65, 3), np.uint8)
    for out in (
        np.zeros((3, 1), np.uint64),
        np.zeros((2, 2), np.uint64),
        np.zeros((3, 2), np.int64),
        np.zeros((3, 2), ">u8"),
        np.zeros((3, 4), np.uint64)[:, ::2],
    ):
        with pytest.raises(sk.ArgumentError, match=r"out: expected C-contiguous uint64 \(3, 2\)"):
            mask.packed(picture, out, executor, cancel)


def test_one_model_in_many_threads():
    picture, holes = paper((300, 400))
    model = paper_model()
    found = []
    threads = [threading.Thread(target=lambda: found.append(model.classify(picture))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(np.array_equal(mask, holes) for mask in found)


def test_cancelled_work_stops():
    cancel = _core.CancelToken()
    cancel.cancel()
    picture, _ = paper()
    with pytest.raises(sk.CancelledError):
        _core.colour_features(picture, _core.Executor(1), cancel)
    with pytest.raises(sk.CancelledError):
        _core.DamageMask(paper_model()._model, [False, True], 8, True, _core.Executor(2), cancel)


# ---- fitting


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_box_gives_mean_covariance_and_weight(dtype, monkeypatch):
    monkeypatch.setattr("spinekit.damage.scans._STRIP", 100)  # in many strips
    picture, _ = paper(dtype=dtype)
    model = sk.ColorModel.fit(picture, [(42, 12, 14, 6)], [(3, 2, 21, 30)])
    features = plain_features8 if dtype == np.uint8 else plain_features16
    for component, box in zip(model.components, [(3, 2, 21, 30), (42, 12, 14, 6)], strict=True):
        x, y, width, height = box
        values = features(picture)[y : y + height, x : x + width].reshape(-1, 4)
        np.testing.assert_allclose(component.mean, values.mean(axis=0), rtol=1e-12)
        expected = np.cov(values.T, ddof=1) + 1e-4 * np.eye(4)
        np.testing.assert_allclose(component.covariance, expected, rtol=1e-9, atol=1e-9)
        assert component.weight == width * height
        np.testing.assert_array_equal(component.covariance, component.covariance.T)


def test_boxes_may_be_one_or_an_array():
    picture, _ = paper()
    model = sk.ColorModel.fit(picture, [(42, 12, 14, 6)], [(0, 0, 35, 9)])
    assert sk.ColorModel.fit(picture, (42, 12, 14, 6), (0, 0, 35, 9)) == model
    assert sk.ColorModel.fit(picture, np.array([[42, 12, 14, 6]]), np.array([0, 0, 35, 9])) == model


@pytest.mark.parametrize("size", [(1, 1), (10, 8)])
def test_a_box_of_one_colour_works_and_warns(size):
    picture = np.full((40, 40, 3), (196, 172, 128), np.uint8)
    picture[20:] = 255
    with pytest.warns(UserWarning, match=r"one colour") as caught:
        model = sk.ColorModel.fit(picture, [(0, 25, *size)], [(0, 0, *size)])
    assert [str(one.message).split(":")[0] for one in caught] == ["foreground[0]", "background[0]"]
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(model.components[0].covariance, 1e-4 * np.eye(4))
    np.testing.assert_array_equal(model.classify(picture)[:, 0], np.arange(40) >= 20)


SIZE = re.escape("the picture has 80 x 60 pixels (width x height)")


@pytest.mark.parametrize(
    ("background", "foreground", "message"),
    [
        ([(70, 0, 11, 5)], BOX, r"background\[0\]: \(70, 0, 11, 5\).*outside; " + SIZE),
        ([(0, 59, 1, 2)], BOX, r"background\[0\].*outside; " + SIZE),
        (BOX, [(0, 0, 5, 5), (-1, 0, 5, 5)], r"foreground\[1\]: \(-1, 0, 5, 5\).*outside"),
        ([(0, 0, 0, 5)], BOX, r"background\[0\].*is empty.*" + SIZE),
        ([(0, 0, 5, -5)], BOX, r"background\[0\].*is empty"),
        ([(0, 0, 5.0, 5)], BOX, r"background\[0\].*four whole numbers.*" + SIZE),
        ([(0, 0, 5)], BOX, r"background\[0\].*four whole numbers"),
        ([("a", 0, 5, 5)], BOX, r"background\[0\].*four whole numbers"),
        ([(10**30, 0, 5, 5)], BOX, r"background\[0\].*outside"),
        ([None], BOX, r"background\[0\]: None.*four whole numbers"),
        (BOX, [], r"foreground: no box"),
        ([], BOX, r"background: no box"),
        (None, BOX, r"background: no box"),
        (BOX, None, r"foreground: no box"),
        ("all", BOX, r"background: 'all', expected a list of boxes"),
        (7, BOX, r"background: 7, expected a list of boxes"),
    ],
)
def test_boxes_that_cannot_be_are_named(background, foreground, message):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.ColorModel.fit(paper()[0], background, foreground)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "nearest"}, "rule: 'nearest', expected 'mahalanobis' or 'qda'"),
        ({"reject": 0}, "reject: 0, expected"),
        ({"reject": math.nan}, "reject: nan, expected"),
        ({"reject": True}, "reject: True, expected"),
        ({"damage": "hole"}, "damage: only with classes="),
        ({"classes": {"a": BOX}}, "classes: expected without background"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.ColorModel.fit(paper()[0], BOX, [(42, 12, 5, 5)], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": {}}, "classes: {}, expected boxes of each class"),
        ({"classes": BOX}, "classes: .*expected boxes of each class"),
        ({"classes": {"a": BOX, "b": []}}, "b: no box"),
        ({"classes": {"a": BOX}, "damage": "b"}, "'b': no such class, expected one of a"),
        ({"classes": {"": BOX}}, "classes: .*expected names"),
        ({"classes": {f"c{k}": BOX for k in range(256)}}, "label 255, expected 0 to 254"),
    ],
)
def test_classes_that_cannot_be(options, message):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.ColorModel.fit(paper()[0], **options)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((9, 9, 4), np.uint8), r"shape \(9, 9, 4\), expected 3 samples of RGB; take alpha off"),
        (np.zeros((9, 9, 2), np.uint8), r"shape \(9, 9, 2\), expected \(rows, columns, 3\)"),
        (np.zeros(9, np.uint8), r"shape \(9,\), expected"),
        (np.zeros((2, 9, 9, 3), np.uint8), r"shape \(2, 9, 9, 3\), expected"),
        (np.zeros((0, 9, 3), np.uint8), r"shape \(0, 9, 3\), expected at least one pixel"),
        (np.zeros((9, 9, 3), np.float32), "float32, expected uint8 or uint16"),
        (np.zeros((9, 9, 3), np.int16), "int16, expected uint8 or uint16"),
        (np.zeros((9, 9, 3), bool), "bool, expected uint8 or uint16"),
        (np.zeros((9, 9, 3), np.uint32), "uint32, expected uint8 or uint16"),
        ([[1, 2, 3]], "list, expected an array or a path"),
        (None, "NoneType, expected an array or a path"),
    ],
)
def test_pictures_that_cannot_be(image, message):
    with pytest.raises(sk.ArgumentError, match=message):
        sk.ColorModel.fit(image, BOX, BOX)
    for of in ("classify", "labels", "confidence", "distances"):
        with pytest.raises(sk.ArgumentError, match=message):
            getattr(paper_model(), of)(image)


# ---- several classes, QDA, rejection, confidence


def test_more_classes_give_labels_unless_some_are_damage():
    picture, holes = paper()
    model = three_classes()
    labels = model.classify(picture)
    assert labels.dtype == np.uint8
    assert model.classes == ("paper", "hole", "stain")
    np.testing.assert_array_equal(labels == 1, holes)
    harmed = three_classes(damage=["hole", "stain"])
    np.testing.assert_array_equal(harmed.classify(picture), labels >= 1)
    np.testing.assert_array_equal(harmed.labels(picture), labels)
    np.testing.assert_array_equal(three_classes(damage="hole").classify(picture), labels == 1)


def test_a_single_class_is_all_there_is():
    model = sk.ColorModel.fit(paper()[0], classes={"paper": [(0, 0, 35, 9)]}, reject=50)
    picture, holes = paper()
    labels = model.labels(picture)
    np.testing.assert_array_equal(labels[holes], 255)
    assert (labels[~holes] == 0).mean() > 0.99
    np.testing.assert_array_equal(model.confidence(picture), labels == 0)


def test_rejected_pixels_are_no_damage():
    picture, holes = paper()
    picture[0, :10] = (0, 0, 255)
    model = paper_model(reject=100)
    assert (model.labels(picture)[0, :10] == 255).all()
    assert not model.classify(picture)[0, :10].any()
    assert not model.confidence(picture)[0, :10].any()
    np.testing.assert_array_equal(model.classify(picture)[1:], holes[1:])
    least = model.distances(picture).min(axis=-1)
    np.testing.assert_array_equal(model.labels(picture) == 255, least > 100)


def test_qda_agrees_with_scikit_learn():
    discriminant_analysis = pytest.importorskip("sklearn.discriminant_analysis")
    picture, holes = paper((300, 400))
    picture[holes] = np.random.default_rng(2).normal((215, 200, 160), 14, (holes.sum(), 3)).clip(0, 255)
    boxes = {"paper": [(0, 0, 400, 9)], "hole": [(41, 11, 18, 18)]}
    model = sk.ColorModel.fit(picture, classes=boxes, rule="qda")
    x = plain_features8(picture)
    chosen = [x[0:9, 0:400].reshape(-1, 4), x[11:29, 41:59].reshape(-1, 4)]
    y = np.repeat([0, 1], [len(part) for part in chosen])
    theirs = discriminant_analysis.QuadraticDiscriminantAnalysis().fit(np.concatenate(chosen), y)
    for k, component in enumerate(model.components):  # ours has 1e-4 on each variance
        theirs.scalings_[k], theirs.rotations_[k] = np.linalg.eigh(component.covariance)
    decision = theirs.decision_function(x.reshape(-1, 4)).reshape(300, 400)
    labels = model.labels(picture)
    assert 0.001 < (labels == 1).mean() < 0.2
    clear = np.abs(decision) > 1e-9
    assert clear.mean() > 0.9999
    np.testing.assert_array_equal(labels[clear], decision[clear] > 0)
    posterior = theirs.predict_proba(x.reshape(-1, 4)).max(axis=1).reshape(300, 400)
    np.testing.assert_allclose(model.confidence(picture), 2 * posterior - 1, atol=1e-6)


def test_rules_differ_where_covariances_do():
    picture, _ = paper((300, 400))
    assert (paper_model().labels(picture) != paper_model(rule="qda").labels(picture)).mean() < 0.01
    everything = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    assert (paper_model().labels(everything) != paper_model(rule="qda").labels(everything)).any()


@pytest.mark.parametrize("name", MODELS)
def test_confidence_is_that_of_the_definition(name):
    model = MODELS[name]()
    picture = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
    scores, least = plain_scores(plain_features8(picture), model)
    best, second = np.moveaxis(np.sort(scores, axis=-1)[..., :2], -1, 0)
    plain = np.tanh((second - best) / 4) if model.rule == "qda" else (second - best) / (second + best)
    plain = np.where(least > (model.reject or math.inf), 0, plain)
    found = model.confidence(picture)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain, rtol=1e-6, atol=1e-7)
    assert 0 <= found.min() <= found.max() <= 1


# ---- files


@pytest.mark.parametrize("name", MODELS)
def test_models_come_back_from_files_exactly(name, tmp_path):
    model = MODELS[name]()
    model.save(tmp_path / "model.json")
    for same in (sk.ColorModel.load(tmp_path / "model.json"), pickle.loads(pickle.dumps(model))):
        assert same == model
        assert same.to_dict() == model.to_dict()
        picture = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
        np.testing.assert_array_equal(same.labels(picture), model.labels(picture))
        assert (same.classes, same.damage, same.rule, same.reject) == (
            model.classes, model.damage, model.rule, model.reject,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == [tmp_path / "model.json"]
    assert model != paper_model(reject=7)
    assert model != "model"


def changed(*path, to):
    """Return a saved model with one value replaced, or taken out."""
    found = paper_model().to_dict()
    place = found
    for key in path[:-1]:
        place = place[key]
    if to is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return found


FIRST = ("classes", 0, "components", 0)
SINGULAR = [[1.0] * 4] * 4
SKEW = [[1.0, 0.5, 0, 0], [0.1, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]]
NEGATIVE = (-np.eye(4)).tolist()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (changed("version", to=2), "version: 2, expected 1"),
        (changed("version", to=True), "version: True, expected 1"),
        (changed("format", to="other"), "format: 'other', expected 'spinekit colour model'"),
        (changed("features", to="RGB"), "features: 'RGB', expected"),
        (changed("rule", to=None), "rule: None, expected one of mahalanobis, qda"),
        (changed("rule", to=["qda"]), "rule: .*expected one of"),
        (changed("reject", to=-1), "reject: -1, expected a number above 0"),
        (changed("reject", to="5"), "reject: '5', expected a finite number"),
        (changed("classes", to=KeyError), "'classes' is missing"),
        (changed("classes", to={}), r"classes: \{\}, expected a list"),
        (changed("classes", to=[]), r"classes: \[\], expected a list"),
        (changed("more", to=1), "'more' is unknown"),
        (changed("classes", 0, to="paper"), r"classes\[0\]: 'paper', expected an object"),
        (changed("classes", 0, "name", to="background"), r"classes\[1\].name: 'background', expected"),
        (changed("classes", 0, "name", to=""), r"classes\[0\].name: '', expected"),
        (changed("classes", 0, "damage", to=1), r"classes\[0\].damage: 1, expected true or false"),
        (changed("classes", 0, "components", to=[]), r"classes\[0\].components: \[\], expected"),
        (changed(*FIRST, "mean", to=[1, 2, 3]), r"classes\[0\].components\[0\].mean: .*a list of 4"),
        (changed(*FIRST, "mean", 2, to=math.nan), r"components\[0\].mean\[2\]: nan, expected a finite"),
        (changed(*FIRST, "mean", 2, to=10**400), r"components\[0\].mean\[2\]: 1000.*expected a finite"),
        (changed(*FIRST, "mean", 2, to=1e7), r"components\[0\]: .*beyond 1e6"),
        (changed(*FIRST, "weight", to=0), r"components\[0\].weight: 0, expected a number above 0"),
        (changed(*FIRST, "weight", to=False), r"components\[0\].weight: False, expected a finite"),
        (changed(*FIRST, "covariance", 1, to=None), r"components\[0\].covariance\[1\]: None, expected"),
        (changed(*FIRST, "covariance", 1, 3, to=math.inf), r"covariance\[1\]\[3\]: inf, expected"),
        (changed(*FIRST, "covariance", to=SINGULAR), r"components\[0\]: its covariance is singular"),
        (changed(*FIRST, "covariance", to=NEGATIVE), r"components\[0\]: its covariance is singular"),
        (changed(*FIRST, "covariance", to=SKEW), r"components\[0\]: its covariance is not symmetric"),
        ([], r"\[\], expected an object"),
        (None, "None, expected an object"),
    ],
)
def test_what_is_no_model_is_refused(found, message, tmp_path):
    with pytest.raises(sk.MalformedDataError, match=message):
        sk.ColorModel.from_dict(found)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(found))
    with pytest.raises(
        sk.MalformedDataError, match=r"'bad.json': " if not isinstance(found, dict) else message
    ):
        sk.ColorModel.load(path)


@pytest.mark.parametrize("text", ["", "{", '{"format"', "[" * 100000, "9" * 10000, "\x00", "null"])
def test_files_that_are_no_json_are_refused(text, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(sk.MalformedDataError, match=r"'bad\.json'"):
        sk.ColorModel.load(path)


def test_truncated_models_are_refused(tmp_path):
    paper_model().save(tmp_path / "whole.json")
    data = (tmp_path / "whole.json").read_bytes()
    for size in range(0, len(data) - 3, 97):
        (tmp_path / "cut.json").write_bytes(data[:size])
        with pytest.raises(sk.MalformedDataError, match=r"'cut\.json'"):
            sk.ColorModel.load(tmp_path / "cut.json")


def test_files_that_cannot_be_reached(tmp_path):
    with pytest.raises(sk.ResourceError, match=r"none\.json"):
        sk.ColorModel.load(tmp_path / "none.json")
    with pytest.raises(sk.ResourceError, match=r"m\.json"):
        paper_model().save(tmp_path / "no folder" / "m.json")


def test_pictures_may_be_paths(tmp_path):
    picture, holes = paper()
    path = tmp_path / "scan.png"
    Image.fromarray(picture).save(path)
    model = sk.ColorModel.fit(str(path), [(42, 12, 14, 6)], [(0, 0, 35, 9)])
    np.testing.assert_array_equal(model.classify(path), model.classify(picture))
    wide, _ = paper(dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "grey16.png"), wide[..., 0])
    np.testing.assert_array_equal(
        paper_model(np.uint16).classify(tmp_path / "grey16.png"),
        paper_model(np.uint16).classify(wide[..., 0]),
    )
    with pytest.raises(sk.ResourceError, match=r"none\.png"):
        model.classify(tmp_path / "none.png")
    assert holes.any()


def test_a_model_shows_itself():
    text = repr(paper_model(reject=20))
    assert text == "<ColorModel: foreground 2 boxes, background 2 boxes; mahalanobis, reject=20>"
    page = three_classes(damage="hole")._repr_html_()
    for piece in ("paper", "hole", "stain", "background:#", "damage"):
        assert piece in page
    odd = sk.ColorModel.fit(paper()[0], classes={"<b>": [(0, 0, 9, 9)]})
    assert "<b>" not in odd._repr_html_()
    colour = re.findall("background:#(......)", paper_model()._repr_html_())[0]
    found = np.frombuffer(bytes.fromhex(colour), np.uint8).astype(int)
    assert np.abs(found - (196, 172, 128)).max() < 4


# ---- paintings


@pytest.mark.parametrize("overlay", ["scratches_scratch-0011", "dirt_dirt-011", "stain_stain-014"])
def test_cut_outs_laid_over_a_painting_are_found(overlay, shared_data):
    painting = shared_data("paintings") / "Rembrandt_van_Rijn_The_Mill_1645_1648.jpg"
    scan = np.array(Image.open(painting).convert("RGB"))[200:600, 300:700]
    cut_out = Image.open(shared_data("damage_overlays") / f"{overlay}.png").convert("RGBA")
    truth = np.asarray(cut_out)[:400, :400, 3] > 127
    assert 100 < truth.sum() < 80000
    scan[truth] = np.random.default_rng(0).integers(244, 256, (truth.sum(), 3))
    beside = np.random.default_rng(1).integers(244, 256, (20, 400, 3), np.uint8)
    scan = np.concatenate([scan, beside])
    boxes = [(x, y, 30, 30) for y in range(0, 371, 60) for x in range(0, 371, 60)]
    whole = [(x, y, w, h) for x, y, w, h in boxes if not truth[y : y + h, x : x + w].any()]
    model = sk.ColorModel.fit(scan, background=[(10, 402, 300, 15)], foreground=whole)
    mask = model.classify(scan)[:400]
    assert (mask & truth).sum() / truth.sum() > 0.97
    assert (mask & truth).sum() / mask.sum() > 0.97
