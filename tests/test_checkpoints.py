"""Checkpoints of others: what fits arrives where it belongs, what does not is named, nothing of it is run."""

import numpy as np
import pytest
from scipy import ndimage

import spinekit as sk

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

import published  # noqa: E402 - what follows needs torch
from made_weights import SMALL, assert_same, google, network, official  # noqa: E402
from spinekit import nn  # noqa: E402
from spinekit.nn import storing  # noqa: E402

POSITIONS = "transformer.embeddings.position_embeddings"


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_an_official_checkpoint_arrives(new, prefix, wrapper, tmp_path):
    state = official()
    held = {prefix + name: tensor for name, tensor in state.items()}
    held = {"epoch": 149, wrapper: held, "optimizer": {"lr": 0.01}} if wrapper else held
    path = tmp_path / "epoch_149.pth"
    torch.save(held, path, _use_new_zipfile_serialization=new)
    model = network()
    loaded = nn.load_checkpoint(model, path)
    assert loaded == nn.Loaded([], [])
    assert_same(model.state_dict(), state)


def test_an_ensemble_stays_fresh_and_is_named(tmp_path):
    torch.save(official(classes=8), tmp_path / "a.pth")
    model = network(classes=8, channels=6)
    before = model.pen.conv.weight.clone()
    loaded = nn.load_checkpoint(model, tmp_path / "a.pth")
    assert loaded.fresh == ["pen.conv.weight", "pen.conv.bias"]
    assert torch.equal(model.pen.conv.weight, before)


def test_the_full_official_names_give_the_published_configuration(monkeypatch):
    with torch.device("meta"):
        state = {name: torch.empty(shape) for name, shape in published.transunet().items()}
    expected = nn.TransUNet.__init__.__kwdefaults__["size"]
    found = nn.configuration_of(state)
    assert found["size"] == [expected, expected]
    with torch.device("meta"):
        assert found == nn.TransUNet(classes=9, channels=3).configuration
    # The same as through a file, which would be of 420 MB: each weight is one number that stands for all.
    held = {
        name: torch.full((), 0.5).expand(shape) if shape else torch.tensor(0)
        for name, shape in published.transunet().items()
    }
    monkeypatch.setattr(storing, "read_weights", lambda path, **options: (held, None))
    model = nn.load("official.pth")
    assert model.configuration == found
    assert sum(parameter.numel() for parameter in model.parameters()) == 105_277_081


def test_a_configuration_is_found_from_shapes():
    model = network(size=(32, 96), channels=6, classes=5)
    found = nn.configuration_of(model.state_dict(), 2, groups=4, size=(32, 96))
    assert found == model.configuration


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({POSITIONS: None}, {}, f"state: no '{POSITIONS}', expected the weights of a TransUNet"),
        ({POSITIONS: (1, 12, 16)}, {"heads": 2}, "12 positions, no square; say which size"),
        ({POSITIONS: (16, 16)}, {}, r"has the shape \(16, 16\), expected 3 axes"),
        ({}, {}, "heads: not told, and the hidden size 16 is no multiple of 64"),
        ({}, {"heads": 3, "groups": 4}, "heads: 3, expected a divisor"),
        ({}, {"heads": 2}, "groups: 32, expected a divisor of the width 8"),
        ({}, {"heads": 2, "size": (32, 32)}, r"size: \(32, 32\), expected one of 16 patches"),
        (
            {"transformer.encoder.layer.1.attn.key.weight": (16, 15)},
            {"heads": 2, "groups": 4},
            r"layer\.1\.attn\.key\.weight' has the shape \(16, 15\), expected \(16, 16\)",
        ),
        (
            {"transformer.encoder.layer.1.ffn.fc1.bias": None},
            {"heads": 2, "groups": 4},
            r"no 'transformer\.encoder\.layer\.1\.ffn\.fc1\.bias'",
        ),
    ],
)
def test_shapes_of_no_transunet_give_no_configuration(change, options, message):
    state = official()
    for name, shape in change.items():
        del state[name]
        if shape:
            state[name] = torch.zeros(shape)
    with pytest.raises(sk.ArgumentError, match=message):
        nn.configuration_of(state, **options)


def test_misfits_are_all_told_and_nothing_is_changed(tmp_path):
    state = official(classes=4)
    del state["decoder.conv_more.0.weight"]
    state["decoder.more"] = torch.zeros(1)
    torch.save(state, tmp_path / "a.pth")
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(sk.ArgumentError, match="does not fit this network") as caught:
        nn.load_checkpoint(model, tmp_path / "a.pth")
    message = str(caught.value)
    assert "2 of another shape: 'segmentation_head.0.weight': (4, 8, 3, 3), expected (9, 8, 3, 3)" in message
    assert "1 missing: 'decoder.conv_more.0.weight'" in message
    assert "1 unexpected: 'decoder.more'" in message
    assert_same(model.state_dict(), before)


def test_many_misfits_are_counted(tmp_path):
    torch.save(official(), tmp_path / "a.pth")
    with pytest.raises(sk.ArgumentError, match=r"\d\d missing: .*, and \d+ more; \d+ unexpected: .* more"):
        nn.load_checkpoint(nn.UNet(width=8), tmp_path / "a.pth")


def test_other_classes_are_skipped_when_asked_to(tmp_path):
    torch.save(official(classes=4), tmp_path / "a.pth")
    model = network()
    loaded = nn.load_checkpoint(model, tmp_path / "a.pth", skip=["segmentation_head."])
    assert loaded.fresh == ["segmentation_head.0.weight", "segmentation_head.0.bias"]


def test_positions_of_another_size_are_resized(tmp_path):
    state = official(tokens=16)
    torch.save(state, tmp_path / "a.pth")
    model = network(size=(96, 32))
    loaded = nn.load_checkpoint(model, tmp_path / "a.pth")
    assert loaded.resized == [POSITIONS]
    # As the network itself does for a film of that size.
    square = network(size=64)
    nn.load_checkpoint(square, tmp_path / "a.pth")
    film = torch.rand(1, 3, 96, 32)
    with torch.no_grad():
        assert torch.equal(model.eval()(film), square.eval()(film))


def test_a_file_of_ours_tells_its_grid(tmp_path):
    wide = network(size=(32, 128), classes=8)
    wide.labels, wide.filters = list("abcdefgh"), {"clip": 2}
    nn.save(wide, tmp_path / "a.safetensors")
    # As many positions as 64 x 64 has, in another arrangement.
    model = network(size=64, classes=8)
    assert nn.load_checkpoint(model, tmp_path / "a.safetensors").resized == [POSITIONS]
    assert not torch.equal(model.state_dict()[POSITIONS], wide.state_dict()[POSITIONS])
    assert model.labels == wide.labels
    assert model.filters == wide.filters


def test_a_file_with_other_heads_does_not_fit(tmp_path):
    nn.save(network(), tmp_path / "a.safetensors")
    other = nn.TransUNet(
        nn.Preset(**SMALL, groups=4, heads=4, entry=16, decoder=(16, 8, 8, 8)), classes=9, channels=3
    )
    with pytest.raises(sk.ArgumentError, match="does not fit this network: heads 2, expected 4"):
        nn.load_checkpoint(other, tmp_path / "a.safetensors")


def test_buffers_of_published_swin_files_are_left_out(tmp_path):
    model = nn.SwinUNet(embed=24, heads=(1, 2, 3, 4), channels=3)
    state = model.state_dict()
    state["swin_unet.layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    state["swin_unet.layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49, dtype=torch.int64)
    torch.save(state, tmp_path / "a.pth")
    assert (
        nn.load_checkpoint(nn.SwinUNet(embed=24, heads=(1, 2, 3, 4), channels=3), tmp_path / "a.pth").fresh
        == []
    )


def test_google_s_arrays_arrive(tmp_path):
    arrays = google()
    np.savez(tmp_path / "R50+ViT-B_16.npz", **arrays)
    model = network()
    loaded = nn.load_checkpoint(model, tmp_path / "R50+ViT-B_16.npz")
    assert loaded.resized == []
    assert all(name.startswith(("decoder.", "segmentation_head.")) for name in loaded.fresh)
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    hybrid = "transformer.embeddings.hybrid_model"
    root = arrays["conv_root/kernel"]
    assert state[f"{hybrid}.root.conv.weight"][5, 2, 1, 6] == root[1, 6, 2, 5]
    np.testing.assert_array_equal(state[f"{hybrid}.root.gn.bias"], arrays["gn_root/bias"].ravel())
    kernel = arrays["block1/unit2/conv2/kernel"]
    assert state[f"{hybrid}.body.block1.unit2.conv2.weight"][3, 4, 0, 2] == kernel[0, 2, 4, 3]
    projected = arrays["block3/unit1/conv_proj/kernel"]
    np.testing.assert_array_equal(
        state[f"{hybrid}.body.block3.unit1.downsample.weight"][:, :, 0, 0], projected[0, 0].T
    )
    for norm in ("gn1", "gn2", "gn3", "gn_proj"):
        scale = arrays[f"block2/unit1/{norm}/scale"].ravel()
        np.testing.assert_array_equal(state[f"{hybrid}.body.block2.unit1.{norm}.weight"], scale)
    patch = arrays["embedding/kernel"][0, 0]
    np.testing.assert_array_equal(
        state["transformer.embeddings.patch_embeddings.weight"][:, :, 0, 0], patch.T
    )
    # Token 0 is the class.
    positions = arrays["Transformer/posembed_input/pos_embedding"][:, 1:]
    np.testing.assert_array_equal(state[POSITIONS], positions)
    ours, theirs = "transformer.encoder.layer.1", "Transformer/encoderblock_1"
    tokens = np.random.default_rng(2).normal(size=(3, 16))
    attention = f"{theirs}/MultiHeadDotProductAttention_1"
    for part in ("query", "key", "value"):
        # (hidden) x (hidden, heads, each): what is after the first axis is what a head sees.
        expected = np.einsum("td,dhe->the", tokens, arrays[f"{attention}/{part}/kernel"])
        expected += arrays[f"{attention}/{part}/bias"]
        given = tokens @ state[f"{ours}.attn.{part}.weight"].T + state[f"{ours}.attn.{part}.bias"]
        np.testing.assert_allclose(given.reshape(3, 2, 8), expected, atol=1e-6)
    expected = np.einsum("the,hed->td", tokens.reshape(3, 2, 8), arrays[f"{attention}/out/kernel"])
    np.testing.assert_allclose(tokens @ state[f"{ours}.attn.out.weight"].T, expected, atol=1e-6)
    np.testing.assert_array_equal(state[f"{ours}.attn.out.bias"], arrays[f"{attention}/out/bias"])
    for k in (0, 1):
        dense = arrays[f"{theirs}/MlpBlock_3/Dense_{k}/kernel"]
        np.testing.assert_array_equal(state[f"{ours}.ffn.fc{k + 1}.weight"], dense.T)
    np.testing.assert_array_equal(
        state[f"{ours}.attention_norm.weight"], arrays[f"{theirs}/LayerNorm_0/scale"]
    )
    np.testing.assert_array_equal(state[f"{ours}.ffn_norm.bias"], arrays[f"{theirs}/LayerNorm_2/bias"])
    norm = arrays["Transformer/encoder_norm/scale"]
    np.testing.assert_array_equal(state["transformer.encoder.encoder_norm.weight"], norm)


@pytest.mark.parametrize("size", [(96, 96), (32, 128), (64, 160)])
def test_google_s_positions_are_zoomed_to_other_grids(size, tmp_path):
    arrays = google()
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    model = network(size=size, channels=6)
    loaded = nn.load_checkpoint(model, tmp_path / "a.npz")
    assert {"pen.conv.weight", "pen.conv.bias"} <= set(loaded.fresh)
    assert loaded.resized == [POSITIONS]
    rows, columns = size[0] // 16, size[1] // 16
    grid = arrays["Transformer/posembed_input/pos_embedding"][0, 1:].reshape(4, 4, 16)
    zoomed = ndimage.zoom(grid, (rows / 4, columns / 4, 1), order=1)
    np.testing.assert_allclose(model.state_dict()[POSITIONS].numpy(), zoomed.reshape(1, -1, 16), atol=1e-6)


def test_google_s_arrays_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "a.npz"
    arrays = google()
    arrays["embedding/kernel"] = np.zeros((1, 1, 128, 17), np.float32)
    arrays["Transformer/posembed_input/pos_embedding"] = np.zeros((1, 13, 16), np.float32)
    del arrays["gn_root/scale"]
    np.savez(path, **arrays)
    with pytest.raises(sk.ArgumentError, match="does not fit") as caught:
        nn.load_checkpoint(network(), path)
    assert "2 of another shape: 'embedding/kernel': (1, 1, 128, 17), expected (1, 1, 128, 16)" in str(
        caught.value
    )
    assert "(1, 13, 16), expected (1, 1 + a square, 16)" in str(caught.value)
    assert "1 missing: 'gn_root/scale'" in str(caught.value)
    np.savez(path, **google())
    other = nn.TransUNet(nn.Preset(**SMALL, groups=4, heads=4, entry=16, decoder=(16, 8, 8, 8)), channels=3)
    with pytest.raises(sk.ArgumentError, match=r"query/kernel': \(16, 2, 8\), expected \(16, 4, 4\)"):
        nn.load_checkpoint(other, path)
    with pytest.raises(sk.ArgumentError, match=r"an \.npz of R50\+ViT, expected a file for a UNet"):
        nn.load_checkpoint(nn.UNet(width=8), path)
    with pytest.raises(sk.UnsupportedError, match=r"an \.npz, expected .*load_checkpoint reads it"):
        nn.read_weights(path)
