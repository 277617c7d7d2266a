"""Segmenter: the engine says what torch says, of networks in every kind of file."""

import numpy as np
import pytest

import spinekit as sk
from spinekit.filters import PenSettings
from spinekit.segmentation import prepare

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("spinekit._infer")

from made_networks import (  # noqa: E402
    BONES,
    FILM,
    SIZE,
    Flat,
    Window,
    assert_agree,
    dice,
    films,
    foreign,
    of_model,
    random_network,
    settled_network,
    told,
)
from spinekit import nn  # noqa: E402

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


@pytest.mark.parametrize("kernels", ["best", "oneDNN", "torch"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_whatever_computes(model, kernels, precision):
    """Processors without matrix units, and without oneDNN, get the same answer by other kernels."""
    from spinekit import _infer

    weights = {k: v.numpy() for k, v in model.state_dict().items() if v.is_floating_point()}
    network = _infer.transunet(model.configuration, weights, precision, 2, kernels=kernels)
    inputs = films(2, size=(96, 160))
    assert_agree(network.forward(inputs), told(model, inputs), 1e-4 if precision == "fp32" else 2e-2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 2e-3), ("bf16", 3e-2)])
def test_on_a_gpu(weights, model, precision, tolerance):
    inputs = films(2)
    ours = sk.Segmenter(weights, precision=precision, device="cuda").forward(inputs)
    assert_agree(ours, told(model, inputs), tolerance)


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


def test_an_official_checkpoint_that_is_no_square(tmp_path):
    path = tmp_path / "a.pth"
    small = {"width": 32, "units": (1, 1, 1), "groups": 32, "hidden": 64, "heads": 1, "layers": 1}
    model = nn.TransUNet(nn.Preset(**small, mlp=32), size=(160, 128), classes=9, channels=3).eval()
    torch.save(model.state_dict(), path)
    for call in (nn.load, sk.Segmenter):
        with pytest.raises(
            sk.ArgumentError, match=r"a\.pth': 80 positions, no square, .*give size=\(rows, col"
        ):
            call(path)
        with pytest.raises(sk.ArgumentError, match=r"a\.pth': size: \(64, 64\), expected one of 80 patches"):
            call(path, size=(64, 64))
    assert nn.load(path, size=(160, 128)).configuration["size"] == [160, 128]
    seg = sk.Segmenter(path, size=(160, 128), threads=1)
    films_in = films(channels=3, size=(160, 128))
    assert_agree(seg.forward(films_in), told(model, films_in))


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
