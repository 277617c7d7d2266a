"""Letterboxes against dense matrices, SciPy and OpenCV; points and maps there and back."""

import pickle

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import spinekit as sk
from conftest import made_film as made
from spinekit import _core, _engine
from spinekit.letterbox import Letterbox

SIZES = st.tuples(st.integers(2, 90), st.integers(2, 90))
DTYPES = st.sampled_from([np.uint8, np.uint16, np.float32])


def plain_fit(film, fitted):
    """Return exact area means (or linear values where it grows) by dense matrices."""

    def matrix(source, target):
        if target <= source:
            edges = np.arange(target + 1) * source / target
            low, high = np.arange(source), np.arange(source) + 1
            share = np.minimum(edges[1:, None], high) - np.maximum(edges[:-1, None], low)
            return np.maximum(share, 0) * target / source
        at = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
        return np.maximum(1 - np.abs(at[:, None] - np.arange(source)), 0)

    down, across = matrix(film.shape[0], fitted[0]), matrix(film.shape[1], fitted[1])
    return down @ film.astype(np.float64) @ across.T


@settings(max_examples=40, deadline=None)
@given(SIZES, SIZES, st.floats(0.3, 3), DTYPES, st.integers(0, 99))
def test_fits_are_means_over_areas(film_size, size, ratio, dtype, seed):
    film = made(film_size, dtype, seed)
    box = Letterbox(film_size, size, (ratio, 1.0))
    found = box.fit(film)
    assert found.dtype == dtype
    assert found.shape == box.fitted
    bound = 0.5 + 1e-6 if np.dtype(dtype).kind == "u" else 1e-6
    np.testing.assert_allclose(found, plain_fit(film, box.fitted), rtol=0, atol=bound)
    height, width = film_size[0] * ratio, film_size[1]
    scale = min(size[0] / height, size[1] / width)
    assert abs(box.fitted[0] - max(height * scale, 1)) <= 0.5 + 1e-9
    assert abs(box.fitted[1] - max(width * scale, 1)) <= 0.5 + 1e-9


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_fits_are_within_one_level_of_opencv(dtype):
    film = made((701, 533), dtype)
    box = Letterbox(film.shape, (224, 224))
    plain = cv2.resize(film, box.fitted[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(box.fit(film).astype(int) - plain).max() <= 1


@settings(max_examples=40, deadline=None)
@given(SIZES, SIZES, st.floats(0.3, 3), st.booleans(), st.integers(0, 99))
def test_maps_come_back_as_scipy_has_them(film_size, size, ratio, logits, seed):
    box = Letterbox(film_size, size, (ratio, 1.0))
    maps = np.random.default_rng(seed).normal(0, 8, (2, *size)).astype(np.float32)
    rows = (np.arange(film_size[0]) + 0.5) * box.scale[0] - 0.5
    columns = (np.arange(film_size[1]) + 0.5) * box.scale[1] - 0.5
    at = np.meshgrid(rows, columns, indexing="ij")
    share = maps[:, box.top : box.top + box.fitted[0], box.left : box.left + box.fitted[1]].astype(float)
    plain = np.stack([ndimage.map_coordinates(one, at, order=1, mode="nearest") for one in share])
    found = box.unfit(maps, logits=logits, workers=2)
    if logits:
        plain = 1 / (1 + np.exp(-plain))
    np.testing.assert_allclose(found, plain, rtol=0, atol=2e-6 if logits else 2e-5)


@given(SIZES, SIZES, st.tuples(st.floats(-50, 50), st.floats(-50, 50)), st.floats(0.3, 3))
def test_points_come_back_to_where_they_were(film_size, size, point, ratio):
    box = Letterbox(film_size, size, (ratio, 1.0))
    assert box.to_film(box.to_input(point)) == pytest.approx(point, abs=1e-9)


def test_a_spot_on_the_film_is_found_where_its_point_goes():
    box = Letterbox((400, 300), (128, 160))
    y, x = np.mgrid[:400, :300]
    film = np.exp(-((x - 203.3) ** 2 + (y - 91.7) ** 2) / 200).astype(np.float32)
    small = box.pad(box.fit(film)[None])[0]
    rows, columns = ndimage.center_of_mass(small)
    assert (columns, rows) == pytest.approx(box.to_input((203.3, 91.7)), abs=1e-3)
    back = box.unfit(small[None])[0]
    rows, columns = ndimage.center_of_mass(back)
    assert (columns, rows) == pytest.approx((203.3, 91.7), abs=0.01)


def test_letterboxes_are_the_same_for_any_number_of_workers():
    film = made((311, 207), np.float32)
    box = Letterbox(film.shape, (64, 96), (0.3, 0.2))
    maps = np.random.default_rng(0).normal(0, 5, (3, 64, 96)).astype(np.float32)
    for workers in (2, 8):
        np.testing.assert_array_equal(box.fit(film, workers=1), box.fit(film, workers=workers))
        one, many = (box.unfit(maps, logits=True, workers=w) for w in (1, workers))
        np.testing.assert_array_equal(one, many)


def test_letterboxes_pickle_and_compare():
    box = Letterbox((311, 207), (64, 96), (0.3, 0.2))
    again = pickle.loads(pickle.dumps(box))
    assert again == box
    assert again.fitted == box.fitted
    assert Letterbox([311, 207], [64, 96], [0.3, 0.2]) == box


def test_what_no_letterbox_takes_is_refused():
    with pytest.raises(sk.ArgumentError, match="the film: 0 rows"):
        Letterbox((0, 5), (8, 8))
    with pytest.raises(sk.ArgumentError, match="spacing"):
        Letterbox((5, 5), (8, 8), (0, 1))
    with pytest.raises(sk.ArgumentError, match="film: 5"):
        Letterbox(5, (8, 8))
    box = Letterbox((20, 10), (8, 8))
    with pytest.raises(sk.ArgumentError, match="10 rows x 20 columns, expected 20 x 10"):
        box.fit(np.zeros((10, 20), np.uint8))
    with pytest.raises(sk.ArgumentError, match=r"maps: expected \(maps, 8, 8\)"):
        box.unfit(np.zeros((2, 4, 16), np.float32))
    with pytest.raises(sk.ArgumentError, match="maps: float64"):
        box.unfit(np.zeros((2, 8, 8)))
    with pytest.raises(sk.ArgumentError, match="stack"):
        box.pad(np.zeros((2, 8, 8), np.float32))
    with pytest.raises(sk.ArgumentError, match="points"):
        box.to_film([1, 2, 3])


def test_cancelled_work_stops():
    cancel = _core.CancelToken()
    cancel.cancel()
    box = _core.Letterbox((500, 500), (64, 64), (1, 1))
    with pytest.raises(sk.CancelledError):
        _core.letterbox_unfit(np.zeros((2, 64, 64), np.float32), box, True, _engine.executor(2), cancel)
    with pytest.raises(sk.CancelledError):
        _core.letterbox_fit(np.zeros((500, 500), np.uint8), box, _engine.executor(2), cancel)
