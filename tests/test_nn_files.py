"""Files of networks: what is written comes back, says what it is, and appears whole or not at all."""

import json
import os
import warnings

import numpy as np
import pytest

import spinekit as sk

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors")

from spinekit import nn  # noqa: E402 - what follows needs torch
from spinekit.nn import storing  # noqa: E402


def small(**options):
    """Return networks of each kind that are quick."""
    swin = {"embed": 24, "heads": (1, 2, 3, 4)} | options
    return [nn.TransUNet("tiny", **options), nn.UNet(width=8, **options), nn.SwinUNet(**swin)]


@torch.no_grad()
def predicted(model, films):
    return model.eval()(films)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_network_comes_back_from_its_file_bit_for_bit(kind, tmp_path):
    model = small(size=(96, 64))[kind]
    model.filters = {"versions": ["identity", "clahe"], "clip": 2.5}
    # Running statistics and counters have to come back as well.
    model.train()(torch.rand(2, 6, 96, 64))
    path = tmp_path / "model.safetensors"
    nn.save(model, path)
    again = nn.load(path)
    assert type(again) is type(model)
    assert not again.training
    assert again.configuration == model.configuration
    assert again.labels == ["L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH2"]
    assert again.filters == model.filters
    ours, theirs = model.state_dict(), again.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    films = torch.rand(1, 6, 64, 96)
    assert torch.equal(predicted(model, films), predicted(again, films))
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_file_says_what_the_network_is_made_of(tmp_path):
    path = tmp_path / "model.safetensors"
    nn.save(nn.TransUNet("tiny", size=(96, 64)), path)
    with safetensors.safe_open(path, "np") as file:
        described = json.loads(file.metadata()["spinekit"])
    assert described == {
        "architecture": "transunet",
        "preset": "tiny",
        "classes": 8,
        "channels": 6,
        "pen": True,
        "size": [96, 64],
        "width": 16,
        "units": [1, 1, 1],
        "groups": 8,
        "hidden": 128,
        "layers": 2,
        "heads": 2,
        "mlp": 256,
        "dropout": 0.1,
        "entry": 64,
        "decoder": [32, 16, 16, 8],
        "skips": [128, 64, 16, 0],
        "labels": ["L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH2"],
    }


def test_half_precision_stays_half(tmp_path):
    path = tmp_path / "model.safetensors"
    nn.save(nn.UNet(width=8).half(), path)
    again = nn.load(path)
    assert again.inc.double_conv[0].weight.dtype == torch.float16


def test_a_network_is_built_from_its_configuration():
    for model in small(classes=2):
        again = nn.build(json.loads(json.dumps(model.configuration)))
        assert again.configuration == model.configuration
    own = nn.Preset(
        width=8, units=(1, 2, 1), groups=4, hidden=16, layers=1, heads=2, mlp=8, decoder=(8, 8, 8, 8)
    )
    assert nn.TransUNet(own).configuration["preset"] == "custom"
    assert nn.build(nn.TransUNet(own, size=32).configuration).configuration["units"] == [1, 2, 1]
    assert nn.TransUNet(nn.Preset(), size=32).configuration["preset"] == "r50-vit-b16"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"architecture": "resnet"},
            "architecture: 'resnet', expected one of 'transunet', 'unet', 'swinunet'",
        ),
        ({"hidden": None}, "hidden: None, expected a whole number"),
        ({"units": [1, "2", 3]}, "units: '2', expected a whole number"),
        ({"skips": [1, 2, 3, 4]}, r"skips: \[1, 2, 3, 4\], expected \[128, 64, 16, 0\] by the other numbers"),
        ({"labels": ["L1"]}, "labels: .*, expected 8 names"),
        ({"filters": "clahe"}, "filters: 'clahe', expected names and values"),
        ({"size": 3.5}, "configuration: .*not iterable"),
    ],
)
def test_rejects_configurations_that_cannot_be(change, message):
    configuration = nn.TransUNet("tiny").configuration
    with pytest.raises(sk.ArgumentError, match=message):
        nn.build(configuration | change)
    del configuration["heads"]
    with pytest.raises(sk.ArgumentError, match="configuration: 'heads' is missing"):
        nn.build(configuration)


def test_rejects_what_cannot_be_saved(tmp_path):
    model = nn.UNet(width=8)
    with pytest.raises(sk.ArgumentError, match=r"expected a name that ends in \.safetensors"):
        nn.save(model, tmp_path / "model.pth")
    with pytest.raises(sk.ArgumentError, match=r"model: Linear, expected a network of spinekit\.nn"):
        nn.save(torch.nn.Linear(1, 1), tmp_path / "model.safetensors")
    model.labels = ["L1"]
    with pytest.raises(sk.ArgumentError, match="labels: 1, expected one for each of 8 classes"):
        nn.save(model, tmp_path / "model.safetensors")
    model.labels, model.filters = None, {"f": np.ones(2)}
    with pytest.raises(sk.ArgumentError, match=r"filters: .*expected plain values for JSON"):
        nn.save(model, tmp_path / "model.safetensors")
    model.filters = None
    with pytest.raises(sk.ResourceError, match=r"cannot be written: .*check the path"):
        nn.save(model, tmp_path / "missing" / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_finished_does_not_replace_a_whole_one(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    nn.save(nn.UNet(width=8), path)
    before = path.read_bytes()

    def interrupted(weights, part, metadata):
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(storing, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        nn.save(nn.UNet(width=8), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_torchscript_gives_the_same_and_refuses_other_sizes(kind, tmp_path):
    model = small()[kind].train()
    path = tmp_path / "model.pt"
    nn.export_torchscript(model, path, (96, 64))
    assert model.training
    extra = {"spinekit": ""}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        traced = torch.jit.load(path, _extra_files=extra)
    described = json.loads(extra["spinekit"])
    assert described["size"] == [96, 64]
    assert described["architecture"] == model.configuration["architecture"]
    films = torch.rand(2, 6, 96, 64)
    assert torch.allclose(predicted(traced, films), predicted(model, films), atol=1e-5)
    for shape in ((2, 6, 64, 96), (1, 6, 128, 64), (1, 6, 1, 64), (1, 6, 96, 1), (1, 6, 1, 1)):
        with pytest.raises(RuntimeError, match="size"):
            predicted(traced, torch.rand(shape))
    assert os.listdir(tmp_path) == ["model.pt"]


def test_the_activation_goes_along(tmp_path):
    model = nn.UNet(width=8)
    nn.save(model, tmp_path / "plain.safetensors")
    assert nn.load(tmp_path / "plain.safetensors").activation is None
    model.activation = "softmax"
    nn.save(model, tmp_path / "model.safetensors")
    assert nn.load(tmp_path / "model.safetensors").activation == "softmax"
    assert nn.build(model.description()).activation == "softmax"
    model.activation = "relu"
    with pytest.raises(sk.ArgumentError, match="activation: 'relu', expected 'sigmoid' or 'softmax'"):
        nn.save(model, tmp_path / "model.safetensors")


def test_torchscript_rejects_what_cannot_be_traced(tmp_path):
    with pytest.raises(sk.ArgumentError, match="films: 100 x 100 pixels, expected"):
        nn.export_torchscript(nn.UNet(width=8), tmp_path / "model.pt", 100)
    with pytest.raises(sk.ArgumentError, match="model: Linear, expected a network"):
        nn.export_torchscript(torch.nn.Linear(1, 1), tmp_path / "model.pt")
    with pytest.raises(sk.ResourceError, match="cannot be written"):
        nn.export_torchscript(nn.UNet(width=8), tmp_path / "missing" / "model.pt", 32)
    assert not list(tmp_path.iterdir())


def test_weights_that_stay_in_their_file_are_the_same(tmp_path):
    model = nn.UNet(width=8)
    path = tmp_path / "w.safetensors"
    nn.save(model, path)
    mapped = nn.load(path, mmap=True).state_dict()
    assert mapped.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(mapped[name], tensor), name
