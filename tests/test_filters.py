"""Filters against OpenCV and NumPy, in pipelines, threads and forks, and against hostile films."""

import concurrent.futures
import json
import os
import pickle
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spinekit as sk
from conftest import made_film as made
from spinekit import _core, _engine
from spinekit.filters import VERSIONS, PENd, PenSettings

KERNEL = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float32)


# ---- references: OpenCV and NumPy alone


def plain_linear(film, low, high, top):
    if not high > low:
        return np.zeros(film.shape)
    return np.rint((np.clip(film.astype(np.float64), low, high) - low) / (high - low) * top)


def plain_sharpened(film, amount):
    wide = np.pad(film.astype(np.int64), 1, "reflect" if min(film.shape) > 1 else "edge")
    excess = 4 * wide[1:-1, 1:-1] - wide[:-2, 1:-1] - wide[2:, 1:-1] - wide[1:-1, :-2] - wide[1:-1, 2:]
    level = np.rint(film + amount * excess)
    return np.clip(level, 0, np.iinfo(film.dtype).max).astype(film.dtype)


def plain_stretched(film, percentiles):
    low, high = np.percentile(film, percentiles)
    return plain_linear(film, low, high, np.iinfo(film.dtype).max).astype(film.dtype)


def plain_pen(film, clip_limit, tiles, sharpening, percentiles):
    equaliser = cv2.createCLAHE(clip_limit, tiles[::-1])
    once = equaliser.apply(film)
    sharp = equaliser.apply(plain_sharpened(film, sharpening))
    versions = [film, once, equaliser.apply(once), sharp, equaliser.apply(sharp)]
    return np.stack([*versions, plain_stretched(film, percentiles)])


SIZES = st.tuples(st.integers(2, 90), st.integers(2, 90))
DTYPES = st.sampled_from([np.uint8, np.uint16, np.float32])
TILES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@settings(max_examples=60, deadline=None)
@given(
    SIZES, TILES, st.floats(0, 40), st.floats(0, 3), st.floats(0, 49), st.floats(51, 100),
    st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_ensemble_is_that_of_opencv_and_numpy_to_the_bit(shape, tiles, clip, amount, low, high, wide, seed):
    film = made(shape, np.uint16 if wide else np.uint8, seed)
    plain = plain_pen(film, clip, tiles, amount, (low, high))
    how = PenSettings(clip_limit=clip, tiles=tiles, sharpening=amount, percentiles=(low, high))
    np.testing.assert_array_equal(sk.filters.pen(film, how, dtype="same"), plain)
    np.testing.assert_array_equal(
        sk.filters.pen(film, how), plain.astype(np.float32) / np.float32(np.iinfo(film.dtype).max)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (17, 1), (2, 2), (3, 700), (224, 224), (513, 389)])
def test_sizes_that_no_tile_fits(dtype, shape):
    film = made(shape, dtype)
    equaliser = cv2.createCLAHE(2.0, (8, 8))
    np.testing.assert_array_equal(sk.filters.clahe(film), equaliser.apply(film))
    np.testing.assert_array_equal(sk.filters.sharpen(film), cv2.filter2D(film, -1, KERNEL))
    np.testing.assert_array_equal(sk.filters.stretch(film), plain_stretched(film, (2, 98)))
    versions = sk.filters.pen(film)
    assert versions.shape == (6, *shape)
    assert 0 <= versions.min() <= versions.max() <= 1


def test_single_filters_are_the_versions_of_the_ensemble():
    film = made((64, 80), np.uint16)
    once = sk.filters.clahe(film)
    sharp = sk.filters.clahe(sk.filters.sharpen(film))
    expected = [film, once, sk.filters.clahe(once), sharp, sk.filters.clahe(sharp), sk.filters.stretch(film)]
    versions = sk.filters.pen(film, dtype="same")
    assert versions.dtype == np.uint16
    np.testing.assert_array_equal(versions, expected)


@pytest.mark.parametrize("version", VERSIONS)
def test_five_channels_lack_the_one_that_is_left_out(version):
    film = made((40, 30))
    five = sk.filters.pen(film, channels=5, leave_out=version)
    np.testing.assert_array_equal(five, np.delete(sk.filters.pen(film), VERSIONS.index(version), axis=0))


def test_five_channels_lack_the_stretched_one_unless_told():
    film = made((40, 30))
    np.testing.assert_array_equal(sk.filters.pen(film, channels=5), sk.filters.pen(film)[:5])


def test_a_radiograph_is_filtered_as_its_pixels():
    film = sk.phantom.Spine.random(seed=7).radiograph(rows=96)
    np.testing.assert_array_equal(sk.filters.pen(film), sk.filters.pen(film.pixels))


# ---- grey levels


@settings(max_examples=30, deadline=None)
@given(SIZES, DTYPES, st.sampled_from([8, 16]), st.integers(0, 99))
def test_levels_of_the_film_become_the_ends_of_the_range(shape, dtype, bits, seed):
    film = made(shape, dtype, seed)
    top = 2**bits - 1
    found = sk.filters.pen(film, levels="film", bits=bits, dtype="same")[0]
    assert found.dtype == f"uint{bits}"
    np.testing.assert_array_equal(found, plain_linear(film, float(film.min()), float(film.max()), top))


def test_given_levels_clamp():
    film = np.array([[-5, 0, 25, 100, 1e30]], np.float32)
    found = sk.filters.pen(film, levels=(0, 100), bits=8, dtype="same")[0]
    assert found.tolist() == [[0, 0, 64, 255, 255]]


def test_floats_become_16_bits_by_their_least_and_greatest():
    film = made((30, 40), np.float32)
    found = sk.filters.pen(film, dtype="same")
    assert found.dtype == np.uint16
    assert (found[0].min(), found[0].max()) == (0, 65535)


def test_floats_that_are_not_finite_are_the_lowest_level():
    film = made((30, 40), np.float32)
    film[3, 4], film[5, 6], film[7, 8] = np.nan, np.inf, -np.inf
    finite = np.where(np.isfinite(film), film, film[np.isfinite(film)].min())
    np.testing.assert_array_equal(sk.filters.pen(film), sk.filters.pen(finite))
    assert not sk.filters.pen(np.full((5, 5), np.nan, np.float32), dtype="same")[0].any()


@pytest.mark.parametrize("value", [0.0, -3.5, 1e-45, 3e38])
def test_films_of_one_level_give_zeros_and_no_warning(value):
    versions = sk.filters.pen(np.full((20, 20), value, np.float32))
    assert not versions[0].any()
    assert not versions[5].any()
    assert np.isfinite(versions).all()


def test_extreme_floats_are_mapped():
    film = np.array([[-3.4e38, 0, 3.4e38]], np.float32)
    assert sk.filters.pen(film, dtype="same")[0].tolist() == [[0, 32768, 65535]]


# ---- what is refused


@pytest.mark.parametrize(
    ("film", "message"),
    [
        (np.zeros((0, 5), np.uint8), r"shape \(0, 5\)"),
        (np.zeros((5, 5, 3), np.uint8), r"shape \(5, 5, 3\)"),
        (np.zeros(5, np.uint8), r"shape \(5,\)"),
        (np.zeros((5, 5)), "float64, expected uint8"),
        (np.zeros((5, 5), np.int16), "int16"),
        (np.zeros((5, 5), bool), "bool"),
        (np.zeros((5, 5), ">u2"), ">u2"),
        (np.broadcast_to(np.uint8(1), (2**20, 2**20)), "1 to 32768 of each"),
        ([[1, 2], [3, 4]], "list"),
        (None, "NoneType"),
    ],
)
def test_films_that_cannot_be_are_refused(film, message):
    for work in (sk.filters.pen, sk.filters.clahe, sk.filters.sharpen, sk.filters.stretch):
        with pytest.raises(sk.ArgumentError, match=message):
            work(film)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 4}, "channels: 4"),
        ({"leave_out": "clahe"}, "leave_out: 'clahe', expected None"),
        ({"channels": 5, "leave_out": "none"}, "expected one of original"),
        ({"clip_limit": -1}, "clip_limit"),
        ({"clip_limit": float("nan")}, "clip_limit"),
        ({"clip_limit": "much"}, "clip_limit"),
        ({"tiles": (0, 8)}, "tiles"),
        ({"tiles": (8, 65)}, "tiles"),
        ({"tiles": 8}, "tiles"),
        ({"tiles": (8.5, 8)}, "tiles"),
        ({"tiles": (10**30, 8)}, "tiles"),
        ({"sharpening": -0.1}, "sharpening"),
        ({"percentiles": (98, 2)}, "percentiles"),
        ({"percentiles": (0, 101)}, "percentiles"),
        ({"levels": (1, 1)}, "levels"),
        ({"levels": (0, float("inf"))}, "levels"),
        ({"levels": "auto"}, "levels"),
        ({"bits": 12}, "bits: 12"),
    ],
)
def test_settings_that_cannot_be_are_refused_when_made(change, message):
    with pytest.raises(sk.ArgumentError, match=message):
        PenSettings(**change)
    with pytest.raises(sk.ArgumentError, match=message):
        sk.filters.pen(np.zeros((9, 9), np.uint8), **change)


def test_unknown_words_are_refused():
    film = np.zeros((9, 9), np.uint8)
    with pytest.raises(TypeError, match="clip"):
        sk.filters.pen(film, clip=3)
    with pytest.raises(sk.ArgumentError, match="dtype"):
        sk.filters.pen(film, dtype="float64")
    with pytest.raises(sk.ArgumentError, match=r"unknown settings: .*gamma"):
        PenSettings.from_dict({"gamma": 2})


def test_settings_survive_json():
    for how in (
        PenSettings(),
        PenSettings(channels=5, leave_out="clahe", tiles=(4, 6), levels=(0, 4095), percentiles=(1, 97)),
        PenSettings(levels="film", bits=8, clip_limit=3),
    ):
        again = PenSettings.from_dict(json.loads(json.dumps(how.to_dict())))
        assert again == how
        assert hash(again) == hash(how)


def test_changes_replace_settings():
    five = PenSettings(channels=5, leave_out="clahe", clip_limit=4)
    film = made((30, 30))
    assert sk.filters.pen(film, five, channels=6).shape[0] == 6
    np.testing.assert_array_equal(
        sk.filters.pen(film, five, tiles=(2, 2)),
        sk.filters.pen(film, channels=5, leave_out="clahe", clip_limit=4, tiles=(2, 2)),
    )


# ---- memory, threads, forks, other libraries


def test_inputs_of_any_layout_are_read_and_left_alone():
    film = made((60, 50), np.uint16)
    before = film.copy()
    film.flags.writeable = False
    np.testing.assert_array_equal(sk.filters.pen(film[::2, ::-1]), sk.filters.pen(film[::2, ::-1].copy()))
    np.testing.assert_array_equal(sk.filters.pen(film.T), sk.filters.pen(film.T.copy()))
    np.testing.assert_array_equal(film, before)
    one = sk.filters.pen(film, dtype="same")
    assert one.flags.writeable
    assert not np.shares_memory(one, film)


def test_batches_are_the_same_for_any_number_of_workers():
    films = [made((30 + k, 50), (np.uint8, np.uint16, np.float32)[k % 3], k) for k in range(9)]
    expected = [sk.filters.pen(film, clip_limit=3) for film in films]
    for workers in (1, 2, 8):
        found = sk.filters.pen_batch(films, clip_limit=3, workers=workers)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert sk.filters.pen_batch([]) == []


def test_many_threads_filter_at_once():
    film = made((120, 90), np.uint16)
    expected = sk.filters.pen(film)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: sk.filters.pen(film), range(40))
        assert all(np.array_equal(one, expected) for one in found)


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120,
        env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_filters_work_after_fork():
    code = """
import os, threading
import numpy as np, spinekit as sk
film = np.random.default_rng(0).integers(0, 4096, (200, 150), np.uint16)
before = sk.filters.pen_batch([film] * 4, workers=4)
busy = threading.Event()
def work():
    while not busy.is_set():
        sk.filters.pen(film)
other = threading.Thread(target=work); other.start()
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        ok = np.array_equal(sk.filters.pen(film), before[0])
        ok = ok and np.array_equal(sk.filters.pen_batch([film] * 4, workers=4), before)
        os._exit(0 if ok else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
busy.set(); other.join()
"""
    assert run(code) == ["0"] * 10


@pytest.mark.parametrize("other", ["cv2", "SimpleITK", "torch", "cv2, torch, SimpleITK"])
@pytest.mark.parametrize("first", [True, False])
def test_filters_work_beside_other_libraries_in_any_order(other, first):
    for name in other.split(", "):
        pytest.importorskip(name)
    code = f"""
import {f"spinekit, {other}" if first else f"{other}, spinekit"}
import numpy as np
film = np.random.default_rng(0).integers(0, 256, (200, 150), np.uint8)
found = spinekit.filters.pen(film, dtype="same")
if {"cv2" in other}:
    assert np.array_equal(cv2.createCLAHE(2.0, (8, 8)).apply(film), found[1])
    assert cv2.getNumThreads() >= 1 and len(cv2.imencode(".png", film)[1]) > 0
if {"torch" in other}:
    torch.nn.functional.conv2d(torch.rand(1, 6, 64, 64), torch.rand(3, 6, 7, 7))
print(found.sum())
"""
    assert run(code) == [str(sk.filters.pen(np.random.default_rng(0).integers(0, 256, (200, 150), np.uint8),
                                            dtype="same").sum())]  # fmt: skip


# ---- pipelines


def test_films_in_dictionaries_become_their_versions():
    film = made((40, 30), np.uint16)
    step = PENd(["a", "b"], PenSettings(clip_limit=3))
    data = {"a": film, "b": film[None], "label": 7}
    found = step(data)
    np.testing.assert_array_equal(found["a"], sk.filters.pen(film, clip_limit=3))
    np.testing.assert_array_equal(found["b"], found["a"])
    assert found["label"] == 7
    assert data["a"] is film


def test_missing_films_are_named_or_passed_over():
    film = made((8, 8))
    with pytest.raises(KeyError, match="'b' is missing"):
        PENd(["a", "b"])({"a": film})
    assert set(PENd(["a", "b"], allow_missing_keys=True)({"a": film})) == {"a"}
    with pytest.raises(sk.ArgumentError, match=r"'a': film: shape \(3, 8, 8\)"):
        PENd("a")({"a": np.zeros((3, 8, 8), np.uint8)})
    with pytest.raises(sk.ArgumentError, match="keys"):
        PENd([])


def test_the_step_pickles():
    step = PENd(["a"], PenSettings(channels=5), allow_missing_keys=True)
    again = pickle.loads(pickle.dumps(step))
    film = made((20, 20))
    assert repr(again) == repr(step)
    np.testing.assert_array_equal(again({"a": film})["a"], step({"a": film})["a"])


def test_tensors_stay_tensors():
    torch = pytest.importorskip("torch")
    film = made((40, 30), np.float32)
    found = PENd("a")({"a": torch.from_numpy(film)[None]})["a"]
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), sk.filters.pen(film))
    grown = torch.from_numpy(film).requires_grad_()
    assert PENd("a")({"a": grown})["a"].shape == (6, 40, 30)


def test_arrays_do_not_bring_torch():
    code = """
import sys, numpy as np, spinekit as sk
sk.filters.PENd("a")({"a": np.zeros((8, 8), np.uint8)})
print([m for m in ("torch", "monai", "cv2") if m in sys.modules])
"""
    assert run(code) == ["[]"]


def test_tensors_of_monai_keep_their_metadata():
    pytest.importorskip("torch")
    monai = pytest.importorskip("monai")
    film = made((40, 30), np.float32)
    tensor = monai.data.MetaTensor(film[None], meta={"filename_or_obj": "a.png", "spacing": 0.3})
    chain = monai.transforms.Compose([PENd("a"), monai.transforms.ScaleIntensityd("a")])
    found = chain({"a": tensor})["a"]
    assert isinstance(found, monai.data.MetaTensor)
    assert found.meta["filename_or_obj"] == "a.png"
    assert found.shape == (6, 40, 30)


class _Films:
    """A data set as training has it, at the top so that spawned workers find it."""

    def __init__(self, step):
        self.step = step

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return self.step({"image": made((48, 40), np.uint16, index)})


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_of_data_loaders_filter(start):
    data = pytest.importorskip("torch.utils.data")
    films = _Films(PENd("image", PenSettings(clip_limit=3)))
    sk.filters.pen_batch([made((20, 20))] * 4, workers=2)
    loader = data.DataLoader(films, batch_size=2, num_workers=2, multiprocessing_context=start)
    for k, batch in enumerate(loader):
        for i in range(2):
            np.testing.assert_array_equal(
                batch["image"][i].numpy(),
                sk.filters.pen(made((48, 40), np.uint16, 2 * k + i), clip_limit=3),
            )


def test_cancelled_work_stops():
    cancel = _core.CancelToken()
    cancel.cancel()
    with pytest.raises(sk.CancelledError):
        _core.pen_batch([made((9, 9))], PenSettings().options(), _engine.executor(2), cancel)
