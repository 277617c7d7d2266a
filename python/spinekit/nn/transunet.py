"""TransUNet: a residual network, a transformer on its features, and a decoder with skips."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spinekit._core import ArgumentError
from spinekit.nn.network import Network, count, pair_of, share
from spinekit.nn.resnet import ResNet
from spinekit.nn.transformer import Embeddings, Encoder, Transformer

#: Sides of films are multiples of this: what the residual network shrinks them by.
STEP = 16

#: On less than two by two tokens, the last stage's channels would have nothing to be normalised over.
_LEAST = 32


@dataclass(frozen=True)
class Preset:
    """The numbers of a TransUNet; as they stand here, those of the published R50+ViT-B/16.

    Attributes
    ----------
    width : channels of the residual network's root; its stages have 4, 8 and 16 times as many
    units : bottlenecks of each of the three stages
    groups : of the group normalisations; divides `width`
    hidden : length of a token
    layers, heads, mlp : of the transformer; heads divide `hidden`, `mlp` is the width inside
    dropout : share of values dropped while training
    entry : channels that the decoder starts with
    decoder : channels after each of its four doublings
    """

    width: int = 64
    units: tuple[int, int, int] = (3, 4, 9)
    groups: int = 32
    hidden: int = 768
    layers: int = 12
    heads: int = 12
    mlp: int = 3072
    dropout: float = 0.1
    entry: int = 512
    decoder: tuple[int, int, int, int] = (256, 128, 64, 16)

    def __post_init__(self) -> None:
        for name in ("width", "groups", "hidden", "heads", "mlp", "entry"):
            count(name, getattr(self, name))
        count("layers", self.layers, 256)
        for name, length, most in (("units", 3, 256), ("decoder", 4, 1 << 16)):
            numbers = getattr(self, name)
            if not isinstance(numbers, tuple) or len(numbers) != length:
                raise ArgumentError(f"{name}: {numbers!r}, expected {length} whole numbers")
            for number in numbers:
                count(name, number, most)
        if self.width % self.groups:
            raise ArgumentError(f"groups: {self.groups}, expected a divisor of the width {self.width}")
        if self.hidden % self.heads:
            raise ArgumentError(f"heads: {self.heads}, expected a divisor of the hidden size {self.hidden}")
        share("dropout", self.dropout)

    @property
    def skips(self) -> tuple[int, int, int, int]:
        """Channels that each of the decoder's doublings is given beside its own."""
        return self.width * 8, self.width * 4, self.width, 0


PRESETS = {
    "r50-vit-b16": Preset(),
    "r50-vit-s16": Preset(hidden=384, heads=6, mlp=1536),
    "tiny": Preset(
        width=16,
        units=(1, 1, 1),
        groups=8,
        hidden=128,
        layers=2,
        heads=2,
        mlp=256,
        entry=64,
        decoder=(32, 16, 16, 8),
    ),
}


class DecoderBlock(nn.Module):
    """Double a map, put a skip beside it, and convolve twice."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, outputs)
        self.conv2 = _convolution(outputs, outputs)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """Return a map of twice the size."""
        x = nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        if skip is not None:
            x = torch.cat([x, skip], 1)
        return self.conv2(self.conv1(x))


class Decoder(nn.Module):
    """Four doublings, of which the first three are given skips."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.conv_more = _convolution(preset.hidden, preset.entry)
        inputs = (preset.entry, *preset.decoder[:3])
        self.blocks = nn.ModuleList(
            DecoderBlock(before + skip, after)
            for before, skip, after in zip(inputs, preset.skips, preset.decoder, strict=True)
        )

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Return a map of 16 times the size."""
        x = self.conv_more(x)
        for block, skip in zip(self.blocks, (*skips, None), strict=True):
            x = block(x, skip)
        return x


class TransUNet(Network):
    """TransUNet, with the parameter names of the published checkpoints.

    Parameters
    ----------
    preset : "r50-vit-b16" as published, "r50-vit-s16" with a transformer a quarter of the size, "tiny" for
        tests, or a `Preset` of your own
    classes : masks that it finds
    channels : of its input: 6 or 5 versions of a film, which a `PEN` in front turns into three; or 3, the
        published network, which takes a single channel as well and repeats it
    size : (rows, columns) of films that it is trained on, or one number for both, multiples of 16, at
        least 32; the position embeddings are stored for it

    Raises
    ------
    ArgumentError
        If the preset is unknown, a number is out of range, or a film has the wrong channels or size.

    Notes
    -----
    Takes films (n, channels, rows, columns), float, of any size in multiples of 16, square or not; where it
    is not `size`, the grid of position embeddings is interpolated (bilinear, between centres of patches).
    Gives logits (n, classes, rows, columns): no softmax, as masks overlap; their sigmoid is the
    probability. With 9 classes and 3 channels at 224 x 224 it has 105,277,081 parameters.

    References
    ----------
    Chen et al., TransUNet: Transformers Make Strong Encoders for Medical Image Segmentation, 2021, arXiv
    2102.04306. Deviations: films that are not square, their skips filled up along both sides.

    Examples
    --------
    >>> from spinekit import nn  # doctest: +SKIP
    >>> model = nn.TransUNet("tiny", size=(96, 64)).eval()  # doctest: +SKIP
    >>> model(torch.zeros(1, 6, 160, 96)).shape  # doctest: +SKIP
    torch.Size([1, 8, 160, 96])
    """

    def __init__(
        self,
        preset: str | Preset = "r50-vit-b16",
        *,
        classes: int = 8,
        channels: int = 6,
        size: int | Sequence[int] = 224,
    ) -> None:
        name, numbers = _preset(preset)
        count("classes", classes)
        if channels not in (3, 5, 6):
            raise ArgumentError(f"channels: {channels!r}, expected 3, or 5 or 6 for an ensemble in front")
        rows, columns = pair_of(size, STEP, _LEAST)
        super().__init__(
            {
                "architecture": "transunet",
                "preset": name,
                "classes": classes,
                "channels": channels,
                "pen": channels != 3,
                "size": [rows, columns],
                **{
                    key: list(n) if isinstance(n, tuple) else n
                    for key, n in dataclasses.asdict(numbers).items()
                },
                "skips": list(numbers.skips),
            },
            STEP,
            _LEAST,
        )
        resnet = ResNet(numbers.width, numbers.units, numbers.groups)
        grid = rows // STEP, columns // STEP
        self.transformer = Transformer(
            Embeddings(resnet, numbers.width * 16, numbers.hidden, grid, numbers.dropout),
            Encoder(numbers.layers, numbers.hidden, numbers.heads, numbers.mlp, numbers.dropout),
        )
        self.decoder = Decoder(numbers)
        self.segmentation_head = nn.Sequential(nn.Conv2d(numbers.decoder[-1], classes, 3, padding=1))

    @classmethod
    def from_configuration(cls, configuration: dict[str, Any]) -> "TransUNet":
        """Build a network with fresh weights from a `configuration`; KeyError where it lacks a key."""
        numbers: dict[str, Any] = {}
        for field in dataclasses.fields(Preset):
            number = configuration[field.name]
            numbers[field.name] = tuple(number) if isinstance(number, list) else number
        return cls(
            Preset(**numbers),
            classes=configuration["classes"],
            channels=configuration["channels"],
            size=configuration["size"],
        )

    def forward(self, films: Tensor) -> Tensor:
        """Return logits (n, classes, rows, columns) of films (n, channels, rows, columns)."""
        encoded, skips = self.transformer(self.entered(films))
        return self.segmentation_head(self.decoder(encoded, skips))


def _preset(preset: str | Preset) -> tuple[str, Preset]:
    if isinstance(preset, Preset):
        known = (name for name, numbers in PRESETS.items() if numbers == preset)
        return next(known, "custom"), preset
    if preset not in PRESETS:
        names = ", ".join(map(repr, PRESETS))
        raise ArgumentError(f"preset: {preset!r}, expected one of {names}, or a Preset")
    return preset, PRESETS[preset]


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )
