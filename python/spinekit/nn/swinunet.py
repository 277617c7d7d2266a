"""Swin-Unet: windows of attention on the way down and up, with the published parameter names."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spinekit._core import ArgumentError
from spinekit.nn.network import Network, count, pair_of, share
from spinekit.nn.windows import Block

_PATCH = 4

#: A patch's side, and three halvings.
_STEP = 32


class PatchEmbedding(nn.Module):
    """Patches of 4 x 4 pixels as tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, _PATCH, stride=_PATCH)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map (n, rows / 4, columns / 4, width)."""
        return self.norm(self.proj(x).permute(0, 2, 3, 1))


class Merging(nn.Module):
    """Two by two tokens become one of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of half the size."""
        # Column by column of each square: the published order of the merged channels.
        squares = x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).permute(0, 1, 3, 4, 2, 5)
        return self.reduction(self.norm(squares.flatten(3)))


class Expanding(nn.Module):
    """A token becomes a square of tokens.

    Parameters
    ----------
    width : of its tokens
    side : of the square
    outputs : width of the square's tokens
    """

    def __init__(self, width: int, side: int, outputs: int) -> None:
        super().__init__()
        self.side = side
        self.expand = nn.Linear(width, side * side * outputs, bias=False)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of `side` times the size."""
        squares = self.expand(x).unflatten(3, (self.side, self.side, -1)).transpose(2, 3)
        return self.norm(squares.flatten(3, 4).flatten(1, 2))


class Stage(nn.Module):
    """Blocks, every other one shifted, and what changes the size after them."""

    def __init__(
        self,
        width: int,
        heads: int,
        window: int,
        drops: Sequence[float],
        *,
        downsample: Merging | None = None,
        upsample: Expanding | None = None,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(width, heads, window, k % 2 == 1, drop) for k, drop in enumerate(drops)
        )
        self.downsample = downsample
        self.upsample = upsample

    def forward(self, x: Tensor) -> Tensor:
        """Change a map (n, rows, columns, width)."""
        for block in self.blocks:
            x = block(x)
        for resized in (self.downsample, self.upsample):
            if resized is not None:
                x = resized(x)
        return x


class Body(nn.Module):
    """The network behind the ensemble, under the name that published checkpoints have for it."""

    def __init__(
        self,
        classes: int,
        embed: int,
        *,
        depths: Sequence[int],
        heads: Sequence[int],
        window: int,
        drop: float,
    ) -> None:
        super().__init__()
        widths = [embed << level for level in range(4)]
        drops = torch.linspace(0, drop, sum(depths), device="cpu").split(list(depths))

        def stage(level: int, **resized: Any) -> Stage:
            return Stage(widths[level], heads[level], window, drops[level].tolist(), **resized)

        self.patch_embed = PatchEmbedding(embed)
        self.layers = nn.ModuleList(
            stage(level, downsample=Merging(widths[level]) if level < 3 else None) for level in range(4)
        )
        self.layers_up = nn.ModuleList([Expanding(widths[3], 2, widths[2])])
        self.concat_back_dim = nn.ModuleList([nn.Identity()])
        for level in (2, 1, 0):
            after = Expanding(widths[level], 2, widths[level - 1]) if level else None
            self.layers_up.append(stage(level, upsample=after))
            self.concat_back_dim.append(nn.Linear(2 * widths[level], widths[level]))
        self.norm = nn.LayerNorm(widths[3])
        self.norm_up = nn.LayerNorm(embed)
        self.up = Expanding(embed, _PATCH, embed)
        self.output = nn.Conv2d(embed, classes, 1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of (n, 3, rows, columns)."""
        x = self.patch_embed(x)
        skips = []
        for layer in self.layers:
            skips.append(x)
            x = layer(x)
        x = self.norm(x)
        for level, (joined, layer) in enumerate(zip(self.concat_back_dim, self.layers_up, strict=True)):
            x = layer(joined(torch.cat([x, skips[3 - level]], -1)) if level else x)
        return self.output(self.up(self.norm_up(x)).permute(0, 3, 1, 2))


class SwinUNet(Network):
    """Swin-Unet; its weights are called ``swin_unet.*``.

    Parameters
    ----------
    classes : masks that it finds
    channels : of its input: 6 or 5 versions of a film, which a `PEN` in front turns into three; or 3, which
        takes a single channel as well and repeats it
    size : (rows, columns) of films that it is trained on, for the record: it takes any multiples of 32
    embed : width of the first level; each of three halvings doubles it
    depths : blocks of each level, on the way down and up
    heads : of each level
    window : side of a window, in tokens
    drop_path : how often the last branch is left out while training; the first never is

    Raises
    ------
    ArgumentError
        If a number is out of range, or a film has the wrong channels or size.

    Notes
    -----
    Takes films (n, channels, rows, columns), and gives logits (n, classes, rows, columns), no softmax.
    Published for 224 x 224, where windows of 7 fit each level. At sizes where they do not, the map is
    filled up to whole windows, and what was filled is kept out of the attention. ``attn_mask`` and
    ``relative_position_index`` of published checkpoints follow from the size and are not kept.

    References
    ----------
    Cao et al., Swin-Unet: Unet-like Pure Transformer for Medical Image Segmentation, 2021, arXiv 2105.05537.
    """

    def __init__(
        self,
        *,
        classes: int = 8,
        channels: int = 6,
        size: int | Sequence[int] = 224,
        embed: int = 96,
        depths: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: int = 7,
        drop_path: float = 0.1,
    ) -> None:
        if channels not in (3, 5, 6):
            raise ArgumentError(f"channels: {channels!r}, expected 3, or 5 or 6 for an ensemble in front")
        rows, columns = pair_of(size, _STEP)
        count("embed", embed, 1 << 13)
        for name, numbers, most in (("depths", depths, 64), ("heads", heads, 1 << 10)):
            if not isinstance(numbers, list | tuple) or len(numbers) != 4:
                raise ArgumentError(f"{name}: {numbers!r}, expected 4 whole numbers")
            for number in numbers:
                count(name, number, most)
        if any((embed << level) % number for level, number in enumerate(heads)):
            raise ArgumentError(f"heads: {heads!r}, expected divisors of the levels' widths, {embed} and up")
        super().__init__(
            {
                "architecture": "swinunet",
                "classes": count("classes", classes),
                "channels": channels,
                "pen": channels != 3,
                "size": [rows, columns],
                "embed": embed,
                "depths": list(depths),
                "heads": list(heads),
                "window": count("window", window, 16),
                "patch": _PATCH,
                "drop_path": share("drop_path", drop_path),
            },
            _STEP,
        )
        self.swin_unet = Body(classes, embed, depths=depths, heads=heads, window=window, drop=drop_path)

    @classmethod
    def from_configuration(cls, configuration: dict[str, Any]) -> "SwinUNet":
        """Build a network with fresh weights from a `configuration`; KeyError where it lacks a key."""
        keys = ("classes", "channels", "size", "embed", "depths", "heads", "window", "drop_path")
        return cls(**{key: configuration[key] for key in keys})

    def forward(self, films: Tensor) -> Tensor:
        """Return logits (n, classes, rows, columns) of films (n, channels, rows, columns)."""
        return self.swin_unet(self.entered(films))
