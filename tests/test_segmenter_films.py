"""Segmenter.predict: probabilities on the film's own pixels, by steps that training shares."""

import concurrent.futures
import math
import pickle

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, special

import spinekit as sk
from conftest import made_film, make_dataset, save
from spinekit.filters import PenSettings
from spinekit.segmentation import prepare
from spinekit.segmentation.tilting import averaged

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("spinekit._infer")

from made_networks import (  # noqa: E402
    BONES,
    FILM,
    SIZE,
    Window,
    films,
    foreign,
    of_model,
    random_network,
    settled_network,
    told,
)
from spinekit import nn  # noqa: E402

# ---- predict


@pytest.mark.parametrize(("shape", "columns"), [((288, 192), (0, 64)), ((288, 96), (16, 48))])
def test_a_prediction_is_what_its_steps_give(seg, model, shape, columns):
    film = made_film(shape, np.uint16)
    rows, across = shape[0] // 3, shape[1] // 3
    small = np.rint(film.reshape(rows, 3, across, 3).mean(axis=(1, 3))).astype(np.uint16)
    stack = np.zeros((1, 6, *SIZE), np.float32)
    stack[0, :, :, slice(*columns)] = sk.filters.pen(small, levels="film", bits=8)
    logits = torch.from_numpy(told(model, stack)[..., slice(*columns)].copy())
    on_film = torch.nn.functional.interpolate(logits, shape, mode="bilinear", align_corners=False)
    found = seg.predict(film)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_allclose(found, special.expit(on_film[0].numpy()), atol=2e-5)


def test_maps_lie_where_the_film_is(tmp_path):
    """A network that shows the film itself: what comes back is the film, shifted by nothing."""
    path = foreign(Window(), tmp_path / "window.pt", size=(112, 96))
    settings = PenSettings(levels=(0, 65535), bits=16)
    seg = sk.Segmenter(path, channels=1, labels=BONES, size=(112, 96), filters=settings)
    y, x = np.mgrid[:331, :217]
    centres = [(93.3, 40.7), (240.0, 180.2)]
    film = sum(np.exp(-((y - r) ** 2 + (x - c) ** 2) / 500) for r, c in centres)
    film = (60000 * np.clip(film, 0, 1)).astype(np.uint16)
    probabilities = seg.predict(film)
    shown = (special.logit(probabilities[5].astype(np.float64)) + 4) / 8
    assert np.abs(shown - film / 65535).max() < 0.02
    for r, c in centres:
        around = np.hypot(y - r, x - c) < 45
        for image in (film / 65535, shown):
            weight = image * around
            found = (weight * y).sum() / weight.sum(), (weight * x).sum() / weight.sum()
            assert math.dist(found, ((film * around * y).sum() / (film * around).sum(),
                                     (film * around * x).sum() / (film * around).sum())) < 0.05  # fmt: skip


def test_the_sense_of_a_file_does_not_matter(seg, tmp_path):
    pixels = FILM >> 4
    paths = []
    for name, stored in (("MONOCHROME2", pixels), ("MONOCHROME1", 4095 - pixels)):
        dataset = make_dataset(stored, bits_stored=12, photometric=name, Modality="DX", RescaleIntercept="0")
        paths.append(tmp_path / f"{name}.dcm")
        save(dataset, paths[-1])
    two, one = seg.predict(paths)
    np.testing.assert_allclose(one, two, atol=1e-5)
    np.testing.assert_array_equal(two, seg.predict(sk.read_radiograph(paths[0])))


def test_only_the_ratio_of_a_spacing_counts(seg):
    film = sk.Radiograph(made_film((200, 150)), (0.2, 0.3))
    found = seg.predict(film)
    np.testing.assert_array_equal(found, seg.predict(film.pixels, spacing=(2, 3)))
    assert np.abs(found - seg.predict(film.pixels)).max() > 1e-3


def test_lists_give_lists(seg):
    several = [FILM, made_film((50, 90)), made_film((40, 40), np.float32, seed=2)]
    found = seg.predict(several, batch=2)
    assert [one.shape for one in found] == [(8, 288, 192), (8, 50, 90), (8, 40, 40)]
    for film, maps in zip(several, found, strict=True):
        np.testing.assert_allclose(maps, seg.predict(film), atol=1e-5)
    assert seg.predict([]) == []
    assert len(seg.predict((FILM,), progress=True)) == 1


def test_another_size(seg):
    found = seg.predict(FILM, size=(64, 96))
    stack, box = prepare(FILM, (64, 96))
    np.testing.assert_array_equal(found, box.unfit(seg.forward(stack[np.newaxis])[0], logits=True))
    with pytest.raises(sk.ArgumentError, match=r"70 x 70 pixels, expected .*multiples of 16"):
        seg.predict(FILM, size=(70, 70))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float64, bool])
def test_arrays_of_any_numbers(seg, dtype):
    # Of the input's size: enlarging rounds whole numbers.
    film = made_film(SIZE) > 120 if dtype is bool else made_film(SIZE).astype(dtype)
    np.testing.assert_allclose(seg.predict(film), seg.predict(film.astype(np.float32)), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_films_of_hardly_any_pixels(seg, shape):
    found = seg.predict(np.full(shape, 7, np.uint8))
    assert found.shape == (8, *shape)
    assert np.isfinite(found).all()


def test_a_film_of_one_level_counts_as_black(seg):
    film = np.full((30, 20), 3, np.float32)
    stack, _ = prepare(film, SIZE)
    assert not stack[0].any()
    found = seg.predict(film)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, seg.predict(np.zeros((30, 20), np.uint8)))


@pytest.mark.parametrize("kind", [np.asarray, sk.Radiograph])
def test_a_film_without_a_number_is_refused(seg, kind):
    with pytest.raises(sk.ArgumentError, match="none of its pixels is a number"):
        seg.predict(kind(np.full((30, 20), np.nan, np.float32)))


def test_a_file_without_a_number_is_named(seg, tmp_path):
    Image.fromarray(np.full((30, 20), np.nan, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(sk.ArgumentError, match=r"a\.tif': none of its pixels is a number"):
        seg.predict(tmp_path / "a.tif")
    film = sk.Radiograph(np.full((30, 20), np.nan, np.float32), source="b.dcm")
    with pytest.raises(sk.ArgumentError, match=r"'b\.dcm': none of its pixels is a number"):
        seg.predict([film])


def test_holes_in_a_film_are_dark(seg):
    film = made_film((96, 64), np.float32)
    film[10:20, 10:20] = np.nan
    filled = np.where(np.isnan(film), np.nanmin(film), film)
    np.testing.assert_allclose(seg.predict(film), seg.predict(filled), atol=1e-5)


def test_known_answers(tmp_path):
    logits = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 50.0]
    seg = of_model(settled_network(logits), tmp_path / "m.safetensors")
    found = seg.predict(FILM)
    for maps, logit in zip(found, logits, strict=True):
        np.testing.assert_allclose(maps, 1 / (1 + math.exp(-logit)), atol=2e-6)


def test_what_was_found_does_not_hang_on_other_threads(seg):
    inputs = [made_film((100 + 7 * k, 90), seed=k) for k in range(6)]
    alone = [seg.predict(film) for film in inputs]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(seg.predict, inputs))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_softmax_is_that_of_torch(tmp_path):
    logits = [3.0, 0.0, -4.0, 0.5, 40.0]
    for given in (logits[:4], logits):
        model = settled_network(given)
        model.activation = "softmax"
        seg = of_model(model, tmp_path / "m.safetensors")
        expected = torch.softmax(torch.tensor(given, dtype=torch.float64), 0).numpy()
        for tilts in ((), (-5, 5)):
            found = seg.predict(FILM, tilts=tilts)
            np.testing.assert_allclose(
                found, np.broadcast_to(expected[:, None, None], found.shape), atol=2e-7
            )
        np.testing.assert_allclose(seg.forward(films())[0, :, 0, 0], given, rtol=1e-5)
    nn.export_torchscript(model, tmp_path / "m.pt")
    scripted = sk.Segmenter(tmp_path / "m.pt", threads=1)
    assert scripted.activation == "softmax"
    np.testing.assert_allclose(scripted.predict(FILM), found, atol=1e-6)
    assert pickle.loads(pickle.dumps(scripted)).activation == "softmax"
    with pytest.raises(sk.ArgumentError, match="softmax of one class is 1 everywhere"):
        of_model(settled_network([1.0]), tmp_path / "one.safetensors", activation="softmax")


# ---- tilts


def test_tilts_of_a_network_that_is_blind_to_them(tmp_path):
    logits = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]
    seg = of_model(settled_network(logits), tmp_path / "m.safetensors")
    np.testing.assert_allclose(seg.predict(FILM, tilts=(-10, 5)), seg.predict(FILM), atol=1e-6)


def test_tilted_views_come_back_upright(tmp_path):
    """Of a network that shows the film, every view shows the same film."""
    path = foreign(Window(), tmp_path / "window.pt")
    settings = PenSettings(levels=(0, 65535), bits=16)
    seg = sk.Segmenter(path, channels=1, labels=BONES, size=SIZE, filters=settings)
    smooth = ndimage.gaussian_filter(np.random.default_rng(3).random(SIZE), 5)
    film = np.asarray(60000 * (smooth - smooth.min()) / np.ptp(smooth), np.uint16)
    upright, tilted = seg.predict(film), seg.predict(film, tilts=(-8, 8, 3))
    inner = (slice(None), slice(20, -20), slice(20, -20))
    assert np.abs(upright - tilted)[inner].max() < 0.01


def test_tilts_average_probabilities(seg):
    # A square input, so that a quarter turn, which `predict` does not take, needs no interpolation.
    stack, _ = prepare(FILM, SIZE)
    square = np.zeros((1, 6, 96, 96), np.float32)
    square[0, :, :, :64] = stack
    found = averaged(square, (90.0,), seg.forward)
    turned = seg.forward(np.ascontiguousarray(np.rot90(square, -1, axes=(2, 3))))
    views = special.expit(seg.forward(square)), special.expit(np.rot90(turned, 1, axes=(2, 3)))
    np.testing.assert_allclose(special.expit(found), (views[0] + views[1]) / 2, atol=1e-5)


@pytest.mark.parametrize("tilts", [(50,), (math.nan,), 5, ("a",)])
def test_refuses_tilts_that_cannot_be(seg, tilts):
    with pytest.raises(sk.ArgumentError, match=r"tilts: .*expected angles"):
        seg.predict(FILM, tilts=tilts)


# ---- preparing


@pytest.mark.parametrize("channels", [1, 3])
def test_plain_networks_see_the_original(channels):
    for settings in (PenSettings(levels="film", bits=8), PenSettings(), PenSettings(levels=(100, 3000))):
        plain, _ = prepare(FILM, SIZE, settings, channels=channels)
        versions, _ = prepare(FILM, SIZE, settings)
        assert plain.shape == (channels, *SIZE)
        for channel in plain:
            np.testing.assert_array_equal(channel, versions[0])


def test_training_and_inference_see_the_same(tmp_path):
    settings = PenSettings(channels=5, levels=(0, 60000), bits=8, clip_limit=3)
    model = random_network(channels=5)
    model.filters = settings.to_dict()
    seg = of_model(model, tmp_path / "m.safetensors")
    assert seg.filters == settings
    film = sk.Radiograph(FILM, (0.1, 0.2))
    stack, box = prepare(film, SIZE, settings)
    assert stack.shape == (5, *SIZE)
    np.testing.assert_array_equal(seg.predict(film), box.unfit(seg.forward(stack[None])[0], logits=True))


def test_preparing_refuses_what_cannot_be():
    with pytest.raises(sk.ArgumentError, match="channels: 4, expected 1 or 3"):
        prepare(FILM, SIZE, channels=4)
    with pytest.raises(sk.ArgumentError, match="the filters make 6 channels, the network takes 5"):
        prepare(FILM, SIZE, PenSettings(), channels=5)
    with pytest.raises(sk.ArgumentError, match=r"film: \(2, 3, 4\), expected \(rows, columns\)"):
        prepare(np.zeros((2, 3, 4), np.uint8), SIZE)
