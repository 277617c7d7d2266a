"""Reference networks: sizes, names and values against what is published."""

import subprocess
import sys

import numpy as np
import pytest

import spinekit as sk

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

import published  # noqa: E402 - what follows needs torch
from spinekit import nn  # noqa: E402
from spinekit.nn import resnet, swinunet, transformer, windows  # noqa: E402


def small(**options):
    """Return networks of each kind that are quick."""
    swin = {"embed": 24, "heads": (1, 2, 3, 4)} | options
    return [nn.TransUNet("tiny", **options), nn.UNet(width=8, **options), nn.SwinUNet(**swin)]


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@torch.no_grad()
def predicted(model, films):
    return model.eval()(films)


@torch.no_grad()
def joined(part, module, *inputs):
    """Return what a part of a module is given."""
    seen = []
    handle = part.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    module.eval()(*inputs)
    handle.remove()
    return seen[0]


def on_meta(make, *args, **options):
    with torch.device("meta"):
        return make(*args, **options)


def test_transunet_has_the_published_number_of_parameters():
    model = on_meta(nn.TransUNet, classes=9, channels=3, size=224)
    assert parameters(model) == 105_277_081
    assert parameters(model.transformer.embeddings.hybrid_model) == 11_894_848


def test_transunet_has_the_published_names_and_shapes():
    model = on_meta(nn.TransUNet, classes=9, channels=3, size=224)
    assert {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()} == published.transunet()


def test_an_ensemble_adds_one_convolution_and_nothing_else():
    model = on_meta(nn.TransUNet, classes=9, channels=6)
    added = {
        name: tuple(t.shape) for name, t in model.state_dict().items() if name not in published.transunet()
    }
    assert added == {"pen.conv.weight": (3, 6, 7, 7), "pen.conv.bias": (3,)}


# The numbers that users of these names report for their networks.
@pytest.mark.parametrize(
    ("options", "number"),
    [
        ({"bias": True}, 31_043_521),
        ({}, 31_037_633),
        ({"bilinear": True, "bias": True}, 17_267_393),
    ],
)
def test_unet_has_the_published_number_of_parameters(options, number):
    assert parameters(on_meta(nn.UNet, classes=1, channels=3, **options)) == number


def test_unet_has_the_published_names():
    names = set(on_meta(nn.UNet, channels=3).state_dict())
    assert {
        "inc.double_conv.0.weight",
        "inc.double_conv.4.running_var",
        "down1.maxpool_conv.1.double_conv.3.weight",
        "down4.maxpool_conv.1.double_conv.1.bias",
        "up1.up.weight",
        "up1.up.bias",
        "up4.conv.double_conv.0.weight",
        "outc.conv.weight",
        "outc.conv.bias",
    } <= names
    assert {name.split(".")[0] for name in names} == {
        "inc", "down1", "down2", "down3", "down4", "up1", "up2", "up3", "up4", "outc",
    }  # fmt: skip


def test_swinunet_has_the_published_number_of_parameters():
    # As reported for the four classes of ACDC.
    assert parameters(on_meta(nn.SwinUNet, classes=4, channels=3)) == 27_168_420


def test_swinunet_has_the_published_names_and_shapes():
    model = on_meta(nn.SwinUNet, classes=9, channels=3)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    expected = {
        "swin_unet.patch_embed.proj.weight": (96, 3, 4, 4),
        "swin_unet.patch_embed.norm.bias": (96,),
        "swin_unet.layers.0.blocks.1.norm1.weight": (96,),
        "swin_unet.layers.0.blocks.1.attn.relative_position_bias_table": (169, 3),
        "swin_unet.layers.1.blocks.0.attn.qkv.weight": (576, 192),
        "swin_unet.layers.1.blocks.0.attn.proj.bias": (192,),
        "swin_unet.layers.2.downsample.reduction.weight": (768, 1536),
        "swin_unet.layers.2.downsample.norm.weight": (1536,),
        "swin_unet.layers.3.blocks.1.mlp.fc1.weight": (3072, 768),
        "swin_unet.layers_up.0.expand.weight": (1536, 768),
        "swin_unet.layers_up.0.norm.weight": (384,),
        "swin_unet.layers_up.1.blocks.1.mlp.fc2.bias": (384,),
        "swin_unet.layers_up.1.upsample.expand.weight": (768, 384),
        "swin_unet.layers_up.3.blocks.0.norm2.weight": (96,),
        "swin_unet.concat_back_dim.1.weight": (384, 768),
        "swin_unet.concat_back_dim.3.bias": (96,),
        "swin_unet.norm.weight": (768,),
        "swin_unet.norm_up.bias": (96,),
        "swin_unet.up.expand.weight": (1536, 96),
        "swin_unet.up.norm.weight": (96,),
        "swin_unet.output.weight": (9, 96, 1, 1),
    }
    assert {name: shapes[name] for name in expected} == expected
    assert not [name for name in shapes if name.startswith("swin_unet.layers_up.3.upsample")]
    assert not [name for name in shapes if name.startswith("swin_unet.layers.3.downsample")]


@pytest.mark.parametrize("size", [(96, 160), (64, 64), (160, 32), (224, 224)])
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_logits_have_the_size_of_the_film(kind, size):
    logits = predicted(small(size=64)[kind], torch.rand(2, 6, *size))
    assert logits.shape == (2, 8, *size)
    assert torch.isfinite(logits).all()
    assert (logits < 0).any()
    assert (logits > 0).any()


@pytest.mark.parametrize("size", [(32, 48), (80, 176)])
def test_transunet_and_unet_take_multiples_of_16(size):
    for model in small()[:2]:
        assert predicted(model, torch.rand(1, 6, *size)).shape == (1, 8, *size)


@pytest.mark.parametrize("channels", [3, 5, 6])
def test_every_number_of_channels_is_taken(channels):
    for model in small(channels=channels, classes=3):
        assert model.configuration["pen"] == (channels != 3)
        assert predicted(model, torch.rand(1, channels, 32, 32)).shape == (1, 3, 32, 32)
        assert model.labels is None


def test_one_channel_is_repeated_to_three():
    film = torch.rand(1, 1, 64, 32)
    for model in small(channels=3):
        assert torch.equal(predicted(model, film), predicted(model, film.repeat(1, 3, 1, 1)))


def test_every_network_learns():
    torch.manual_seed(0)
    films, masks = torch.rand(2, 6, 64, 64), (torch.rand(2, 8, 64, 64) > 0.5).float()
    for model in small():
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model.train()(films), masks)
        loss.backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
        # Before training nothing is known: about what half a probability everywhere costs.
        assert 0.5 < loss.item() < 1.5


def test_the_ensemble_starts_as_the_mean_of_the_versions():
    torch.manual_seed(0)
    film = torch.rand(1, 6, 40, 40)
    made = predicted(nn.PEN(6), film)
    assert made.shape == (1, 3, 40, 40)
    assert torch.allclose(made, film.mean(1, keepdim=True).expand_as(made), atol=0.1)


def test_the_ensemble_is_a_convolution_and_a_leaky_rectifier():
    pen = nn.PEN(5)
    film = torch.randn(1, 5, 9, 9)
    patch = torch.nn.functional.pad(film, (3, 3, 3, 3))[0, :, 4:11, 2:9]
    value = (pen.conv.weight[1] * patch).sum() + pen.conv.bias[1]
    value = value if value > 0 else 0.01 * value
    assert predicted(pen, film)[0, 1, 4, 2].item() == pytest.approx(value.item(), abs=1e-5)


def test_filters_are_standardised_with_the_population_variance():
    torch.manual_seed(1)
    layer = resnet.StdConv2d(3, 4, 3, stride=2, padding=1, bias=False)
    film = torch.randn(1, 3, 8, 8)
    weight = layer.weight.detach().numpy().astype(np.float64)
    patch = np.pad(film[0].numpy(), ((0, 0), (1, 1), (1, 1)))[:, 2:5, 4:7]
    for k, filters in enumerate(weight):
        standard = (filters - filters.mean()) / np.sqrt(((filters - filters.mean()) ** 2).mean() + 1e-5)
        assert predicted(layer, film)[0, k, 1, 2].item() == pytest.approx((standard * patch).sum(), abs=1e-4)


def test_a_unit_is_what_its_formula_says():
    torch.manual_seed(2)
    unit = resnet.Unit(8, 16, groups=2, stride=2)
    for name, parameter in unit.named_parameters():
        if "gn" in name:
            torch.nn.init.normal_(parameter)
    weights = {name: tensor.numpy().astype(np.float64) for name, tensor in unit.state_dict().items()}
    film = np.random.default_rng(2).normal(size=(8, 6, 10))

    def standard(weight):
        mean, variance = weight.mean((1, 2, 3), keepdims=True), weight.var((1, 2, 3), keepdims=True)
        return (weight - mean) / np.sqrt(variance + 1e-5)

    def norm(x, name, groups, eps):
        parts = x.reshape(groups, -1)
        parts = (parts - parts.mean(1, keepdims=True)) / np.sqrt(parts.var(1, keepdims=True) + eps)
        return (
            parts.reshape(x.shape) * weights[f"{name}.weight"][:, None, None]
            + weights[f"{name}.bias"][:, None, None]
        )

    found = np.einsum("oi,irc->orc", standard(weights["conv1.weight"])[:, :, 0, 0], film)
    found = np.pad(np.maximum(norm(found, "gn1", 2, 1e-6), 0), ((0, 0), (1, 1), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(found, (3, 3), (1, 2))[:, ::2, ::2]
    found = np.einsum("oiyx,ircyx->orc", standard(weights["conv2.weight"]), views)
    found = np.maximum(norm(found, "gn2", 2, 1e-6), 0)
    found = norm(
        np.einsum("oi,irc->orc", standard(weights["conv3.weight"])[:, :, 0, 0], found), "gn3", 2, 1e-6
    )
    shortcut = np.einsum("oi,irc->orc", standard(weights["downsample.weight"])[:, :, 0, 0], film[:, ::2, ::2])
    expected = np.maximum(found + norm(shortcut, "gn_proj", 16, 1e-5), 0)
    given = predicted(unit, torch.tensor(film[None], dtype=torch.float32))
    np.testing.assert_allclose(given[0].numpy(), expected, atol=2e-4)


def test_the_first_unit_alone_has_a_projection():
    model = on_meta(nn.TransUNet, channels=3)
    projected = [name for name in model.state_dict() if name.endswith("gn_proj.weight")]
    assert len(projected) == 3
    assert all(".unit1." in name for name in projected)


def test_skips_are_filled_up_at_the_bottom_and_on_the_right_alone():
    torch.manual_seed(3)
    network = resnet.ResNet(8, (1, 1, 1), 4).eval()
    features, skips = predicted(network, torch.rand(1, 3, 64, 96))
    assert [tuple(skip.shape[1:]) for skip in skips] == [(64, 8, 12), (32, 16, 24), (8, 32, 48)]
    assert features.shape[1:] == (128, 4, 6)
    quarter = skips[1]
    assert (quarter[:, :, -1] == 0).all()
    assert (quarter[:, :, :, -1] == 0).all()
    # The network itself goes on with the short map.
    short = quarter[:, :, :-1, :-1]
    assert (short.amax((0, 2, 3)) > 0).all()
    assert torch.equal(predicted(network.body.block3, predicted(network.body.block2, short)), features)


def test_attention_is_what_its_formula_says():
    torch.manual_seed(4)
    attention = transformer.Attention(12, 3).double()
    tokens = torch.randn(1, 5, 12, dtype=torch.float64)
    query, key, value = (
        of(tokens)[0].detach().numpy() for of in (attention.query, attention.key, attention.value)
    )
    mixed = np.zeros((5, 12))
    for head in range(3):
        part = slice(4 * head, 4 * head + 4)
        scores = np.exp(query[:, part] @ key[:, part].T / 2)
        mixed[:, part] = scores / scores.sum(1, keepdims=True) @ value[:, part]
    expected = mixed @ attention.out.weight.detach().numpy().T + attention.out.bias.detach().numpy()
    np.testing.assert_allclose(predicted(attention, tokens)[0].numpy(), expected, atol=1e-12)


def test_norms_of_the_transformer_have_the_published_eps():
    model = on_meta(nn.TransUNet, channels=3)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.LayerNorm)]
    assert len(norms) == 25
    assert {norm.eps for norm in norms} == {1e-6}
    groups = [m for m in model.modules() if isinstance(m, torch.nn.GroupNorm)]
    assert {(m.eps, m.num_groups == m.num_channels) for m in groups} == {(1e-6, False), (1e-5, True)}
    assert {m.num_groups for m in groups if m.eps == 1e-6} == {32}
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.1}


def test_the_decoder_doubles_with_corners_aligned():
    torch.manual_seed(5)
    model = nn.TransUNet("tiny", channels=3)
    block = model.decoder.blocks[3]
    line = torch.tensor([0.0, 3.0, 9.0])
    given = joined(block.conv1, block, line.expand(1, 16, 2, 3), None)
    # Corners stay; five steps across two intervals.
    expected = np.interp(np.linspace(0, 2, 6), [0, 1, 2], line.numpy())
    np.testing.assert_allclose(given[0, 0, 0].numpy(), expected, atol=1e-6)


def test_skips_come_after_the_map_in_transunet_and_before_it_in_unet():
    # Published weights depend on it, and shapes do not tell.
    film, skip = torch.zeros(1, 64, 2, 2), torch.ones(1, 128, 4, 4)
    block = nn.TransUNet("tiny").decoder.blocks[0]
    assert joined(block.conv1, block, film, skip).mean((0, 2, 3)).tolist() == [0] * 64 + [1] * 128
    up = nn.UNet(width=8).up1
    torch.nn.init.zeros_(up.up.weight)
    torch.nn.init.zeros_(up.up.bias)
    film, skip = torch.zeros(1, 128, 2, 2), torch.ones(1, 64, 4, 4)
    assert joined(up.conv, up, film, skip).mean((0, 2, 3)).tolist() == [1] * 64 + [0] * 64


def test_tokens_merge_column_by_column_and_expand_row_by_row():
    # Published: (0, 0), (1, 0), (0, 1), (1, 1) of each square; (row, column, channel) of each new one.
    square = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).reshape(1, 2, 2, 1)
    merging = swinunet.Merging(1)
    merging.norm = torch.nn.Identity()
    assert joined(merging.reduction, merging, square).flatten().tolist() == [0, 2, 1, 3]
    expanding = swinunet.Expanding(1, 2, 2)
    expanding.norm = torch.nn.Identity()
    expanding.expand.weight.data = torch.arange(8.0)[:, None]
    given = predicted(expanding, torch.ones(1, 1, 1, 1))
    assert given[0].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


def test_positions_of_another_grid_lie_between_the_stored_ones():
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing="ij")
    stored = torch.stack([rows.flatten(), columns.flatten()], 1)[None]
    same = transformer.resized_positions(stored, (4, 6), (4, 6))
    assert same is stored
    resized = transformer.resized_positions(stored, (4, 6), (8, 3)).reshape(8, 3, 2)
    # Centres of patches: (i + 0.5) x 4 / 8 - 0.5, held at the border.
    np.testing.assert_allclose(resized[:, 0, 0], [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3], atol=1e-6)
    np.testing.assert_allclose(resized[0, :, 1], [0.5, 2.5, 4.5], atol=1e-6)


def test_the_stored_grid_is_used_as_it_is():
    model = nn.TransUNet("tiny", size=(64, 96))
    embeddings = model.transformer.embeddings
    assert embeddings.position_embeddings.shape == (1, 24, 128)
    assert embeddings.positions((4, 6)) is embeddings.position_embeddings
    assert embeddings.positions((6, 4)).shape == (1, 24, 128)
    assert not torch.equal(embeddings.positions((6, 4)), embeddings.position_embeddings)


def test_windows_keep_apart_what_is_apart_on_the_film():
    # Two windows of 4, shifted by 2: the last window holds the film's end and, come round, its start.
    mask = windows.window_mask((4, 8), 4, (0, 2))
    assert mask.shape == (2, 16, 16)
    assert (mask[0] == 0).all()
    row = mask[1, 0, :4]
    assert row.tolist() == [0, 0, -100, -100]
    # Six columns filled up to eight: what was filled is apart from all else.
    filled = windows.window_mask((4, 6), 4, (0, 0))
    assert filled[1, 0, :4].tolist() == [0, 0, -100, -100]


def test_windows_do_not_see_what_was_filled_up():
    torch.manual_seed(6)
    block = windows.Block(8, 2, 4, False, 0.0)
    # A map that fills its windows, and the same in a corner of a larger one, whose rest is another window.
    film = torch.randn(1, 4, 8, 8)
    whole = predicted(block, film)
    assert torch.allclose(predicted(block, film[:, :, :4]), whole[:, :, :4], atol=1e-6)
    short = predicted(block, film[:, :, :6])
    assert torch.allclose(short[:, :, :4], whole[:, :, :4], atol=1e-6)
    assert short.shape == (1, 4, 6, 8)


def test_window_attention_is_what_its_formula_says():
    torch.manual_seed(7)
    attention = windows.WindowAttention(6, 2, 2).double()
    tokens = torch.randn(1, 1, 4, 6, dtype=torch.float64)
    torch.nn.init.normal_(attention.relative_position_bias_table)
    table = attention.relative_position_bias_table.detach().numpy()
    parts = attention.qkv(tokens)[0, 0].detach().numpy().reshape(4, 3, 2, 3)
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    mixed = np.zeros((4, 6))
    for head in range(2):
        query, key, value = parts[:, 0, head], parts[:, 1, head], parts[:, 2, head]
        bias = [[table[(a[0] - b[0] + 1) * 3 + a[1] - b[1] + 1, head] for b in places] for a in places]
        scores = np.exp(query @ key.T / np.sqrt(3) + np.array(bias))
        mixed[:, 3 * head : 3 * head + 3] = scores / scores.sum(1, keepdims=True) @ value
    expected = mixed @ attention.proj.weight.detach().numpy().T + attention.proj.bias.detach().numpy()
    given = attention(tokens, None)
    np.testing.assert_allclose(given[0, 0].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.TransUNet("vit-h"),
            "preset: 'vit-h', expected one of 'r50-vit-b16', 'r50-vit-s16', 'tiny'",
        ),
        (lambda: nn.TransUNet("tiny", channels=4), "channels: 4, expected 3, or 5 or 6"),
        (lambda: nn.TransUNet("tiny", classes=0), "classes: 0, expected a whole number from 1"),
        (lambda: nn.TransUNet("tiny", classes=True), "classes: True, expected a whole number"),
        (
            lambda: nn.TransUNet("tiny", size=100),
            "size: 100, expected rows and columns that are multiples of 16",
        ),
        (lambda: nn.TransUNet("tiny", size=16), "size: 16, expected .* at least 32"),
        (lambda: nn.TransUNet("tiny", size=(64, 64, 64)), r"size: \(64, 64, 64\), expected rows and columns"),
        (lambda: nn.Preset(width=60), "groups: 32, expected a divisor of the width 60"),
        (lambda: nn.Preset(heads=7), "heads: 7, expected a divisor of the hidden size 768"),
        (lambda: nn.Preset(dropout=1.0), "dropout: 1.0, expected 0 <= dropout < 1"),
        (lambda: nn.Preset(units=(1, 2)), r"units: \(1, 2\), expected 3 whole numbers"),
        (lambda: nn.Preset(layers=1 << 30), "layers: .*, expected a whole number from 1 to 256"),
        (lambda: nn.UNet(channels=0), "channels: 0, expected a whole number"),
        (lambda: nn.UNet(size=(8, 64)), "size: .*, expected rows and columns that are multiples of 16"),
        (lambda: nn.SwinUNet(channels=1), "channels: 1, expected 3, or 5 or 6"),
        (lambda: nn.SwinUNet(size=48), "size: 48, expected rows and columns that are multiples of 32"),
        (lambda: nn.SwinUNet(heads=(5, 6, 12, 24)), "heads: .*, expected divisors of the levels' widths"),
        (lambda: nn.SwinUNet(depths=(2, 2)), r"depths: \(2, 2\), expected 4 whole numbers"),
        (lambda: nn.SwinUNet(drop_path=-1), "drop_path: -1, expected 0 <= drop_path < 1"),
    ],
)
def test_rejects_networks_that_cannot_be(make, message):
    with pytest.raises(sk.ArgumentError, match=message):
        make()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((6, 64, 64), r"films: shape \(6, 64, 64\), expected \(n, channels, rows, columns\)"),
        ((1, 3, 64, 64), "films: 3 channels, expected 6 channels"),
        ((1, 6, 64, 70), "films: 64 x 70 pixels, expected rows and columns that are multiples of"),
        ((1, 6, 0, 64), "films: 0 x 64 pixels, expected rows and columns"),
    ],
)
def test_rejects_films_that_do_not_fit(shape, message):
    for model in small():
        with pytest.raises(sk.ArgumentError, match=message):
            model(torch.zeros(shape))
    with pytest.raises(sk.ArgumentError, match="2 channels, expected 3 channels, or 1"):
        nn.UNet(width=8, channels=3)(torch.zeros(1, 2, 64, 64))


def test_unet_takes_channels_as_they_are_when_asked_to():
    model = nn.UNet(width=8, pen=False)
    assert model.pen is None
    assert model.inc.double_conv[0].weight.shape[1] == 6
    assert nn.UNet(width=8, channels=2).configuration["pen"] is False


@pytest.mark.parametrize("missing", ["torch", "safetensors"])
def test_says_what_to_install(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import spinekit\n"
        "try:\n    import spinekit.nn\n"
        "except spinekit.UnsupportedError as failure:\n    print(failure)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'spinekit[models]'" in done.stdout, done.stderr


@pytest.mark.slow
def test_the_published_network_runs_at_its_own_size():
    torch.manual_seed(8)
    model = nn.TransUNet(classes=9, channels=3)
    logits = predicted(model, torch.rand(1, 1, 224, 224))
    assert logits.shape == (1, 9, 224, 224)
    assert 0.01 < logits.std() < 100
