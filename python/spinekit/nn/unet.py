"""U-Net, under the parameter names that its most used version for torch has."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spinekit.nn.network import Network, count, pair_of

_STEP = 16


class DoubleConvolution(nn.Module):
    """Two convolutions 3 x 3, each normalised over the batch and rectified."""

    def __init__(self, inputs: int, outputs: int, middle: int, bias: bool) -> None:
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(inputs, middle, 3, padding=1, bias=bias),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, outputs, 3, padding=1, bias=bias),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Keep the size."""
        return self.double_conv(x)


class Down(nn.Module):
    """Halve a map by its largest values, and convolve."""

    def __init__(self, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConvolution(inputs, outputs, outputs, bias))

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of half the size."""
        return self.maxpool_conv(x)


class Up(nn.Module):
    """Double a map, put the skip before it, and convolve."""

    def __init__(self, inputs: int, outputs: int, bilinear: bool, bias: bool) -> None:
        super().__init__()
        if bilinear:
            self.up: nn.Module = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        else:
            self.up = nn.ConvTranspose2d(inputs, inputs // 2, 2, stride=2)
        self.conv = DoubleConvolution(inputs, outputs, inputs // 2 if bilinear else outputs, bias)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return a map of the skip's size."""
        return self.conv(torch.cat([skip, self.up(x)], 1))


class Head(nn.Module):
    """A convolution 1 x 1 to the classes."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.conv(x)


class UNet(Network):
    """U-Net with four halvings; its weights are called ``inc``, ``down1`` to ``up4`` and ``outc``.

    Parameters
    ----------
    classes : masks that it finds
    channels : of its input
    size : (rows, columns) of films that it is trained on, for the record: it takes any multiples of 16
    pen : a `PEN` in front, which brings the channels to three; None for one where there are 5 or 6. False
        has the first convolution take the channels as they are
    bilinear : double maps by interpolation and not by transposed convolutions
    bias : convolutions before normalisations have one, as in older checkpoints
    width : channels of the first level; each halving doubles them

    Raises
    ------
    ArgumentError
        If a number is out of range, or a film has the wrong channels or size.

    Notes
    -----
    Takes films (n, channels, rows, columns), and gives logits (n, classes, rows, columns), no softmax.

    References
    ----------
    Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015, doi
    10.1007/978-3-319-24574-4_28. Deviations, those of the names' origin: padded convolutions, batch
    normalisation.
    """

    def __init__(
        self,
        *,
        classes: int = 8,
        channels: int = 6,
        size: int | Sequence[int] = 224,
        pen: bool | None = None,
        bilinear: bool = False,
        bias: bool = False,
        width: int = 64,
    ) -> None:
        rows, columns = pair_of(size, _STEP)
        pen = count("channels", channels) in (5, 6) if pen is None else bool(pen)
        super().__init__(
            {
                "architecture": "unet",
                "classes": count("classes", classes),
                "channels": channels,
                "pen": pen,
                "size": [rows, columns],
                "bilinear": bool(bilinear),
                "bias": bool(bias),
                "width": count("width", width, 1 << 12),
            },
            _STEP,
        )
        factor = 2 if bilinear else 1
        self.inc = DoubleConvolution(3 if pen else channels, width, width, bias)
        self.down1 = Down(width, width * 2, bias)
        self.down2 = Down(width * 2, width * 4, bias)
        self.down3 = Down(width * 4, width * 8, bias)
        self.down4 = Down(width * 8, width * 16 // factor, bias)
        self.up1 = Up(width * 16, width * 8 // factor, bilinear, bias)
        self.up2 = Up(width * 8, width * 4 // factor, bilinear, bias)
        self.up3 = Up(width * 4, width * 2 // factor, bilinear, bias)
        self.up4 = Up(width * 2, width, bilinear, bias)
        self.outc = Head(width, classes)
        for module in self.children():
            if module is not self.pen and module is not self.outc:
                _initialise(module)

    @classmethod
    def from_configuration(cls, configuration: dict[str, Any]) -> "UNet":
        """Build a network with fresh weights from a `configuration`; KeyError where it lacks a key."""
        keys = ("classes", "channels", "size", "pen", "bilinear", "bias", "width")
        return cls(**{key: configuration[key] for key in keys})

    def forward(self, films: Tensor) -> Tensor:
        """Return logits (n, classes, rows, columns) of films (n, channels, rows, columns)."""
        first = self.inc(self.entered(films))
        second = self.down1(first)
        third = self.down2(second)
        fourth = self.down3(third)
        x = self.up1(self.down4(fourth), fourth)
        x = self.up2(x, third)
        x = self.up3(x, second)
        return self.outc(self.up4(x, first))


def _initialise(part: nn.Module) -> None:
    for module in part.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
