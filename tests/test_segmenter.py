"""Segmenter: the engine says what torch says, on the film's own pixels, and what cannot be is told."""

import concurrent.futures
import math
import pathlib
import pickle
import re
import subprocess
import sys
import textwrap

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

import made_weights  # noqa: E402
from made_networks import (  # noqa: E402
    SIZE,
    Flat,
    Window,
    foreign,
    of_model,
    random_network,
    settled_network,
    told,
)
from spinekit import nn  # noqa: E402

FILM = made_film((288, 192), np.uint16)
BONES = ("L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH2")


@pytest.fixture(scope="module")
def model():
    return random_network()


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    nn.save(model, path)
    return path


@pytest.fixture(scope="module")
def seg(weights):
    return sk.Segmenter(weights, threads=2)


def films(count=1, channels=6, size=SIZE, seed=0):
    return np.random.default_rng(seed).random((count, channels, *size), np.float32)


def assert_agree(ours, theirs, tolerance=1e-4):
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def dice(ours, theirs):
    return 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())


def run(code, *arguments):
    """Run code in a Python of its own; what it prints is the answer."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---- parity with torch


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (32, 32), (48, 160), (224, 224)])
@pytest.mark.parametrize("count", [1, 3])
def test_the_engine_says_what_torch_says(seg, model, size, count):
    inputs = films(count, size=size)
    assert_agree(seg.forward(inputs), told(model, inputs))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_with_any_number_of_threads(weights, model, threads):
    inputs = films(2)
    before = torch.get_num_threads()
    assert_agree(sk.Segmenter(weights, threads=threads).forward(inputs), told(model, inputs))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("channels", "pen"), [(6, True), (5, True), (3, False)])
def test_other_channels_and_classes(tmp_path, channels, pen):
    model = random_network(channels=channels, classes=3)
    assert model.configuration["pen"] is pen
    seg = of_model(model, tmp_path / "m.safetensors")
    assert_agree(seg.forward(films(channels=channels)), told(model, films(channels=channels)))
    assert (seg.channels, seg.labels) == (channels, ("class 1", "class 2", "class 3"))
    assert seg.predict(FILM).shape == (3, *FILM.shape)


@pytest.mark.parametrize("architecture", ["unet", "swinunet"])
def test_other_architectures(tmp_path, architecture):
    model = random_network(architecture)
    seg = of_model(model, tmp_path / "m.safetensors")
    assert seg.configuration["architecture"] == architecture
    inputs = films(2, size=seg.size)
    assert_agree(seg.forward(inputs), told(model, inputs))
    with pytest.raises(
        sk.ArgumentError, match=r"size: \(320, 320\), expected .*prepared for that size alone"
    ):
        seg.predict(FILM, size=(320, 320))


def test_another_architecture_at_another_size(tmp_path):
    model = random_network("unet")
    seg = of_model(model, tmp_path / "m.safetensors", size=(64, 32))
    assert seg.size == (64, 32)
    assert_agree(seg.forward(films(size=(64, 32))), told(model, films(size=(64, 32))))


def assert_rounded_well(ours, model, inputs):
    """The masks are those of fp32; and where masks hang on little, torch's own bf16 errs far more."""
    theirs = told(model, inputs)
    assert dice(ours > 0, theirs > 0) >= 0.999
    threshold = np.quantile(theirs, 0.6)
    assert dice(ours > threshold, theirs > threshold) >= 0.999
    with torch.autocast("cpu", torch.bfloat16):
        peer = told(model, inputs)
    assert np.square(ours - theirs).mean() <= 0.25 * np.square(peer - theirs).mean()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [(96, 64), (32, 48), (224, 224)])
def test_bf16_gives_the_same_masks(weights, model, size, threads):
    ours = sk.Segmenter(weights, precision="bf16", threads=threads).forward(films(2, size=size))
    assert_rounded_well(ours, model, films(2, size=size))


@pytest.mark.parametrize(("architecture", "most", "least"), [("unet", 2e-2, 0.995), ("swinunet", 6e-2, 0.99)])
def test_bf16_of_other_architectures_rounds_more(tmp_path, architecture, most, least):
    model = random_network(architecture)
    seg = of_model(model, tmp_path / "m.safetensors", precision="bf16")
    inputs = films(2, size=seg.size)
    ours, theirs = seg.forward(inputs), told(model, inputs)
    assert_agree(ours, theirs, most)
    threshold = np.quantile(theirs, 0.6)
    assert dice(ours > threshold, theirs > threshold) >= least


@pytest.mark.slow
def test_the_published_network(tmp_path):
    torch.manual_seed(0)
    model = nn.TransUNet(size=(224, 224)).eval()
    inputs = films(size=(224, 224))
    seg = of_model(model, tmp_path / "m.safetensors")
    assert_agree(seg.forward(inputs), told(model, inputs))
    rounded = sk.Segmenter(seg.path, precision="bf16", threads=2).forward(inputs)
    assert_rounded_well(rounded, model, inputs)


def test_weights_in_half_precision(tmp_path, model):
    half = random_network().half()
    nn.save(half, tmp_path / "half.safetensors")
    seg = sk.Segmenter(tmp_path / "half.safetensors", threads=1)
    assert_agree(seg.forward(films()), told(half.float(), films()))


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_floats_are_converted(seg, dtype):
    inputs = films().astype(dtype)
    np.testing.assert_array_equal(seg.forward(inputs), seg.forward(inputs.astype(np.float32)))


def test_views_and_lists_are_taken(seg):
    wide = films(size=(SIZE[0], 2 * SIZE[1]))
    np.testing.assert_array_equal(seg.forward(wide[..., ::2]), seg.forward(wide[..., ::2].copy()))
    np.testing.assert_array_equal(seg.forward(torch.from_numpy(films())), seg.forward(films()))


# ---- files


def official_network(classes):
    torch.manual_seed(2)
    small = {"width": 32, "units": (1, 1, 1), "groups": 32, "hidden": 64, "heads": 1, "layers": 1}
    return nn.TransUNet(nn.Preset(**small, mlp=32), size=64, classes=classes, channels=3).eval()


def test_an_official_checkpoint(tmp_path):
    model = official_network(9)
    torch.save(model.state_dict(), tmp_path / "epoch_149.pth")
    seg = sk.Segmenter(tmp_path / "epoch_149.pth", threads=1)
    assert (seg.size, seg.channels, len(seg.labels)) == ((64, 64), 3, 9)
    assert_agree(seg.forward(films(channels=3, size=(64, 64))), told(model, films(channels=3, size=(64, 64))))
    named = sk.Segmenter(tmp_path / "epoch_149.pth", threads=1, labels=["air", *BONES])
    assert named.labels == ("air", *BONES)
    assert (seg.activation, seg.configuration["activation"]) == ("softmax", "softmax")
    asked = sk.Segmenter(tmp_path / "epoch_149.pth", threads=1, activation="sigmoid")
    film = np.zeros((64, 64), np.uint16)
    film[:] = np.arange(64)
    stack, _ = prepare(film, (64, 64), channels=3)
    logits = torch.from_numpy(told(model, stack[None])[0])
    np.testing.assert_allclose(seg.predict(film), torch.softmax(logits, 0), atol=1e-4)
    np.testing.assert_allclose(asked.predict(film), torch.sigmoid(logits), atol=1e-4)


def test_eight_classes_of_an_official_checkpoint_are_no_bones(tmp_path):
    torch.save(official_network(8).state_dict(), tmp_path / "a.pth")
    model = nn.load(tmp_path / "a.pth")
    assert model.labels is None
    nn.save(model, tmp_path / "again.safetensors")
    assert nn.load(tmp_path / "again.safetensors").labels is None
    seg = sk.Segmenter(tmp_path / "again.safetensors", threads=1)
    assert seg.labels == tuple(f"class {k}" for k in range(1, 9))
    assert seg.activation == "softmax"


def test_an_exported_network_describes_itself(tmp_path, model):
    model.filters = PenSettings(levels=(0, 4095), bits=16).to_dict()
    try:
        nn.export_torchscript(model, tmp_path / "m.pt")
        nn.save(model, tmp_path / "m.safetensors")
    finally:
        model.filters = None
    scripted, direct = sk.Segmenter(tmp_path / "m.pt"), sk.Segmenter(tmp_path / "m.safetensors")
    assert (scripted.size, scripted.channels, scripted.labels) == (SIZE, 6, BONES)
    assert scripted.filters == direct.filters == PenSettings(levels=(0, 4095), bits=16)
    assert_agree(scripted.forward(films()), told(model, films()))
    np.testing.assert_allclose(scripted.predict(FILM), direct.predict(FILM), atol=1e-3)
    with pytest.raises(sk.ArgumentError, match=r"size: \(64, 64\), expected \(96, 64\)"):
        scripted.forward(films(size=(64, 64)))
    with pytest.raises(sk.ArgumentError, match=r"m.pt' was exported for films of 96 x 64, not 64 x 64"):
        sk.Segmenter(tmp_path / "m.pt", size=(64, 64))
    with pytest.raises(sk.ArgumentError, match=r"m.pt' has 8 classes, not 9"):
        sk.Segmenter(tmp_path / "m.pt", classes=9)


def test_a_foreign_file_has_to_be_explained(tmp_path):
    path = foreign(Window(), tmp_path / "window.pt")
    with pytest.raises(sk.ArgumentError, match=r"window.pt': .*give channels=, classes=, size="):
        sk.Segmenter(path)
    with pytest.raises(sk.ArgumentError, match=r"give size="):
        sk.Segmenter(path, channels=1, labels=BONES)
    seg = sk.Segmenter(path, channels=1, labels=BONES, size=SIZE)
    assert seg.labels == BONES
    assert seg.configuration["architecture"] == "torchscript"
    np.testing.assert_allclose(
        seg.forward(films(channels=1))[0, 3], films(channels=1)[0, 0] * 8 - 4, atol=1e-6
    )


def test_a_foreign_file_that_gives_no_maps(tmp_path):
    path = foreign(Flat(), tmp_path / "flat.pt")
    seg = sk.Segmenter(path, channels=1, classes=8, size=SIZE)
    with pytest.raises(sk.ArgumentError, match=r"gives a tensor .*expected logits \(1, 8, 96, 64\)"):
        seg.predict(FILM)


def test_a_file_without_labels_gets_names(tmp_path):
    seg = of_model(settled_network([0.0, 1.0]), tmp_path / "m.safetensors")
    assert seg.labels == ("class 1", "class 2")
    with pytest.raises(sk.ArgumentError, match="has 2 classes, not 3"):
        sk.Segmenter(seg.path, labels=("a", "b", "c"))
    with pytest.raises(sk.MalformedDataError, match=r"labels are \['a'\], expected 2 names"):
        sk.Segmenter(seg.path, labels=["a"], classes=2)


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


# ---- what is told


def test_a_segmenter_says_what_it_is(seg, weights):
    assert repr(seg) == (
        "<Segmenter transunet 'tiny.safetensors', 6 channels of 96 x 64, 8 classes, fp32, threads: 2, cpu>"
    )
    assert (seg.path, seg.labels, seg.size, seg.channels) == (weights, BONES, SIZE, 6)
    assert (seg.precision, seg.threads, seg.device) == ("fp32", 2, "cpu")
    assert seg.filters == PenSettings(levels="film", bits=8)
    configuration = seg.configuration
    assert configuration["hidden"] == 128
    assert PenSettings.from_dict(configuration["filters"]) == seg.filters
    configuration["size"] = None
    assert seg.configuration["size"] == [96, 64]


def test_a_segmenter_pickles_as_its_file(seg, weights):
    again = pickle.loads(pickle.dumps(seg))
    assert (again.path, again.threads) == (weights, 2)
    np.testing.assert_array_equal(again.predict(FILM), seg.predict(FILM))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"precision": "fp16"}, sk.ArgumentError, "precision: 'fp16', expected 'fp32' or 'bf16'"),
        ({"threads": 0}, sk.ArgumentError, "threads: 0, expected at least 1"),
        ({"device": "tpu"}, sk.ArgumentError, "device: 'tpu'"),
        ({"size": 224}, sk.ArgumentError, r"size: 224, expected \(rows, columns\)"),
        ({"size": (224, 100)}, sk.ArgumentError, "multiples of 16"),
        ({"labels": "L1"}, sk.ArgumentError, "labels: 'L1', expected a name for each class"),
        ({"channels": 3}, sk.ArgumentError, "has 6 channels, not 3"),
        (
            {"filters": PenSettings(channels=5)},
            sk.ArgumentError,
            "filters make 5 channels, the network takes 6",
        ),
    ],
)
def test_refuses_options_that_cannot_be(weights, options, error, message):
    with pytest.raises(error, match=message):
        sk.Segmenter(weights, **options)


def test_refuses_weights_that_are_none(tmp_path):
    with pytest.raises(sk.UnsupportedError, match="'demo': no trained weights are shipped yet"):
        sk.Segmenter("demo")
    with pytest.raises(sk.ResourceError, match=r"gone.safetensors' cannot be read: No such file"):
        sk.Segmenter(tmp_path / "gone.safetensors")
    with pytest.raises(sk.ResourceError, match="expected a file, got a folder"):
        sk.Segmenter(tmp_path)
    with pytest.raises(sk.ArgumentError, match="weights: dict, expected the path"):
        sk.Segmenter({})
    for name, content, message in (
        ("a.safetensors", b"", "a.safetensors': empty"),
        ("b.pth", b"hello hello hello", "b.pth': no weights"),
        ("c.pt", b"PK\x03\x04 and no more", "c.pt': cut off or damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(sk.MalformedDataError, match=message):
            sk.Segmenter(tmp_path / name)


def test_pretrained_weights_are_for_training(tmp_path):
    np.savez(tmp_path / "R50.npz", **made_weights.google())
    with pytest.raises(sk.UnsupportedError, match=r"R50.npz': .*spinekit.nn.load_checkpoint, train"):
        sk.Segmenter(tmp_path / "R50.npz")


def test_weights_that_do_not_fit_are_named(tmp_path, model):
    from safetensors.torch import load_file, save_file

    nn.save(model, tmp_path / "m.safetensors")
    with __import__("safetensors").safe_open(tmp_path / "m.safetensors", "pt") as file:
        metadata = file.metadata()
    state = load_file(tmp_path / "m.safetensors")
    state["pen.conv.weight"] = torch.zeros(3, 6, 5, 5)
    save_file(state, tmp_path / "odd.safetensors", metadata)
    with pytest.raises(sk.MalformedDataError, match=r"odd.safetensors': .*pen.conv.weight.*5, 5.*7, 7"):
        sk.Segmenter(tmp_path / "odd.safetensors")
    torch.save({"transformer.embeddings.position_embeddings": torch.zeros(1, 16, 64)}, tmp_path / "odd.pth")
    with pytest.raises(sk.MalformedDataError, match=r"odd.pth': .*no '.*root.conv.weight'"):
        sk.Segmenter(tmp_path / "odd.pth")


def test_filters_that_are_not_ours_are_told(tmp_path):
    model = random_network()
    model.filters = {"clip": 2.5}
    nn.save(model, tmp_path / "m.safetensors")
    with pytest.raises(
        sk.MalformedDataError, match=r"m.safetensors': its filters .*unknown settings: \['clip'\]"
    ):
        sk.Segmenter(tmp_path / "m.safetensors")
    sk.Segmenter(tmp_path / "m.safetensors", filters=PenSettings())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((1, 6, 96, 64), np.uint8), "films: uint8, expected float32; sk.segmentation.prepare"),
        (np.full((1, 6, 96, 64), np.nan, np.float32), "films: NaN or infinite"),
        (np.zeros((6, 96, 64), np.float32), r"3 dimensions, expected \(n, channels, rows, columns\)"),
        (np.zeros((1, 5, 96, 64), np.float32), "5 channels, expected 6"),
        (np.zeros((1, 6, 90, 64), np.float32), "90 x 64 pixels"),
        (np.zeros((0, 6, 96, 64), np.float32), "expected"),
    ],
)
def test_forward_refuses_what_is_no_input(seg, inputs, message):
    with pytest.raises(sk.ArgumentError, match=message):
        seg.forward(inputs)


@pytest.mark.parametrize(
    ("film", "message"),
    [
        (np.zeros((8, 8, 3), np.uint8), r"shape \(8, 8, 3\), expected \(rows, columns\); sk.read_radiograph"),
        (np.zeros((0, 8), np.uint8), r"shape \(0, 8\)"),
        (np.zeros((8, 8), complex), "an array of complex128"),
        (5, "film: int, expected a Radiograph, an array"),
        ([5], "film: int, expected"),
    ],
)
def test_predict_refuses_what_is_no_film(seg, film, message):
    with pytest.raises(sk.ArgumentError, match=message):
        seg.predict(film)


def test_a_film_that_is_too_large_is_refused_first(seg):
    film = np.broadcast_to(np.uint16(0), (20_000, 20_000))
    with pytest.raises(
        sk.ResourceError, match=r"20000 x 20000 pixels, .*would take 12.8 GB; shrink it first"
    ):
        seg.predict(film)
    with pytest.raises(sk.ResourceError, match="raise max_pixels from 100"):
        seg.predict([FILM], max_pixels=100)


def test_max_pixels_holds_for_files_before_they_are_decoded(seg, tmp_path):
    Image.fromarray(FILM).save(tmp_path / "a.png")
    for film in (tmp_path / "a.png", [tmp_path / "a.png"]):
        with pytest.raises(sk.ResourceError, match="288 x 192 pixels, expected at most 100; max_pixels="):
            seg.predict(film, max_pixels=100)


def test_maps_of_many_classes_count(tmp_path):
    seg = of_model(settled_network([0.0] * 16), tmp_path / "m.safetensors")
    film = made_film((40, 30))
    assert seg.predict(film, max_pixels=2400).shape == (16, 40, 30)
    with pytest.raises(sk.ResourceError, match="40 x 30 pixels, whose probabilities would take"):
        seg.predict(film, max_pixels=2399)


def test_an_input_beyond_any_use_is_refused_first(seg, tmp_path):
    huge = np.broadcast_to(np.float32(0), (1, 6, 1 << 14, 1 << 14))
    for call in (
        lambda: seg.predict(FILM, size=(1 << 14, 1 << 14)),
        lambda: sk.Segmenter(seg.path, size=(1 << 14, 1 << 14)).predict(FILM),
        lambda: seg.forward(huge),
        lambda: of_model(random_network("unet"), tmp_path / "u.safetensors", size=(1 << 14, 1 << 14)),
    ):
        with pytest.raises(sk.ResourceError, match=r"size: 16384 x 16384 pixels in 6 channels and 8 classes"):
            call()


def test_weights_that_give_no_numbers_give_no_masks(tmp_path):
    seg = of_model(settled_network([math.nan] * 8), tmp_path / "m.safetensors")
    with pytest.raises(sk.MalformedDataError, match=r"m.safetensors': the network gives NaN"):
        seg.predict(FILM)


# ---- beside others


def test_nothing_of_torch_is_imported_unasked():
    code = """
        import sys, spinekit as sk
        sk.Segmenter, sk.segmentation.prepare
        print([name for name in ("torch", "spinekit._infer", "scipy.ndimage") if name in sys.modules])
    """
    assert run(code) == "[]"


def test_without_torch_it_says_what_to_install(weights):
    code = """
        import sys
        sys.modules["torch"] = None
        import spinekit as sk
        try:
            sk.Segmenter(sys.argv[1])
        except sk.UnsupportedError as failure:
            print(failure)
        print(sk.info()["segmentation"]["ready"])
    """
    assert run(code, weights) == "segmentation needs torch: pip install 'spinekit[models]'\nFalse"


@pytest.mark.parametrize(
    "failure", ["ImportError('libc10.so: undefined symbol')", "OSError('libcudart')", "AttributeError('_C')"]
)
def test_a_broken_torch_is_told(weights, tmp_path, failure):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(f"raise {failure}\n")
    code = """
        import sys
        sys.path.insert(0, sys.argv[2])
        import spinekit as sk
        try:
            sk.Segmenter(sys.argv[1])
        except sk.UnsupportedError as failure:
            print(failure)
        print(sk.info()["segmentation"]["why not"])
    """
    first, second = run(code, weights, tmp_path).splitlines()
    kind, reason = failure.removesuffix("')").split("('")
    assert first == second
    assert f"torch is installed and cannot be imported: {kind}: {reason}; install it again" in first


def test_another_torch_is_told(weights, monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.11.0+cu126")
    with pytest.raises(
        sk.UnsupportedError, match=r"built for torch \d.*, this is torch 2.11.0\+cu126; pip install"
    ):
        sk.Segmenter(weights)


def test_an_installation_without_the_engine_is_told(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "spinekit._infer", None)
    monkeypatch.delattr(sk, "_infer")
    with pytest.raises(sk.UnsupportedError, match="was built without torch, and cannot segment") as raised:
        sk.Segmenter(weights)
    project = pathlib.Path(__file__).parents[1] / "pyproject.toml"
    built_for = re.search(r'"(torch==[0-9.]+)"', project.read_text())[1]
    assert f"pip install {built_for}' and then \"pip install --no-build-isolation '.[models]'" in str(
        raised.value
    )


def test_it_goes_on_after_fork(weights):
    code = """
        import os, sys
        import numpy as np
        import spinekit as sk
        seg = sk.Segmenter(sys.argv[1], threads=2)
        film = np.random.default_rng(0).integers(0, 4096, (120, 90), np.uint16)
        before = seg.predict(film)
        child = os.fork()
        if child == 0:
            os._exit(0 if np.allclose(seg.predict(film), before, atol=1e-5) else 9)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), np.array_equal(seg.predict(film), before))
    """
    assert run(code, weights) == "0 True"


@pytest.mark.parametrize(
    "order",
    [
        ("torch", "cv2", "SimpleITK", "spinekit"),
        ("spinekit", "SimpleITK", "cv2", "torch"),
        ("SimpleITK", "spinekit", "torch", "cv2"),
    ],
)
def test_in_any_order_of_imports(weights, seg, order):
    pytest.importorskip("cv2")
    pytest.importorskip("SimpleITK")
    code = """
        import sys
        for name in sys.argv[2:]:
            __import__(name)
        import numpy as np
        import spinekit as sk
        seg = sk.Segmenter(sys.argv[1], threads=1)
        print(float(seg.predict(np.arange(96 * 64, dtype=np.uint16).reshape(96, 64)).mean()))
    """
    expected = seg.predict(np.arange(96 * 64, dtype=np.uint16).reshape(96, 64)).mean()
    assert float(run(code, weights, *order)) == pytest.approx(float(expected), abs=1e-5)


def test_info_says_what_segmentation_runs_on():
    found = sk.info()["segmentation"]
    assert found["ready"] is True
    assert found["built for torch"].split(".")[:2] == torch.__version__.split(".")[:2]
    assert found["weights"] == "none are shipped"
