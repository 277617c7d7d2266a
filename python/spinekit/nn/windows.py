"""Attention within windows of a map, every other time shifted by half a window."""

import torch
from torch import Tensor, nn

#: Added to the attention of tokens that are no neighbours, as published: zero after a softmax in float32.
_APART = -100.0


class WindowAttention(nn.Module):
    """Scaled dot products within windows, with a learnt bias for each relative position.

    Parameters
    ----------
    width : of tokens
    heads : divide the width
    window : side, in tokens
    """

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        line = torch.arange(window, device="cpu")
        places = torch.cartesian_prod(line, line)
        apart = places[:, None] - places[None] + window - 1
        # Not kept in files, as it follows from the window; so it is there on the CPU, whatever device the
        # weights are made on.
        self.register_buffer("_index", apart[..., 0] * (2 * window - 1) + apart[..., 1], persistent=False)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Mix tokens (n, windows, tokens, width); the mask is (windows, tokens, tokens), added."""
        qkv = self.qkv(x).unflatten(3, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        bias = self.relative_position_bias_table[self._index].permute(2, 0, 1)
        if mask is not None:
            bias = bias + mask[:, None]
        mixed = nn.functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], bias)
        return self.proj(mixed.transpose(2, 3).flatten(3))


class FeedForward(nn.Module):
    """Two linear layers with exact GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Change each token by itself."""
        return self.fc2(nn.functional.gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention within windows, then the linear layers, each after a normalisation, beside a shortcut.

    Parameters
    ----------
    width, heads, window : of the attention
    shifted : windows start half a window later
    drop : how often a film's branch is left out while training
    """

    def __init__(self, width: int, heads: int, window: int, shifted: bool, drop: float) -> None:
        super().__init__()
        self.window, self.shift, self.drop = window, window // 2 if shifted else 0, drop
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)

    def forward(self, x: Tensor) -> Tensor:
        """Change a map (n, rows, columns, width)."""
        x = x + self._sometimes(self._attended(self.norm1(x)))
        return x + self._sometimes(self.mlp(self.norm2(x)))

    def _attended(self, x: Tensor) -> Tensor:
        side = self.window
        rows, columns = x.shape[1], x.shape[2]
        down, right = -rows % side, -columns % side
        # One window that covers a side has nothing to be shifted against.
        shift = [self.shift if length > side else 0 for length in (rows, columns)]
        mask = None
        if down or right or any(shift):
            mask = window_mask((rows, columns), side, (shift[0], shift[1])).to(x.device, x.dtype)
        x = nn.functional.pad(x, (0, 0, 0, right, 0, down)).roll((-shift[0], -shift[1]), (1, 2))
        high, wide = x.shape[1] // side, x.shape[2] // side
        windows = x.unflatten(2, (wide, side)).unflatten(1, (high, side)).transpose(2, 3)
        mixed = self.attn(windows.flatten(3, 4).flatten(1, 2), mask)
        mixed = mixed.unflatten(2, (side, side)).unflatten(1, (high, wide)).transpose(2, 3)
        return mixed.flatten(3, 4).flatten(1, 2).roll(shift, (1, 2))[:, :rows, :columns]

    def _sometimes(self, x: Tensor) -> Tensor:
        if not self.training or not self.drop:
            return x
        kept = torch.rand(x.shape[0], 1, 1, 1, device=x.device) >= self.drop
        return x * kept / (1 - self.drop)


def window_mask(size: tuple[int, int], side: int, shift: tuple[int, int]) -> Tensor:
    """Return what keeps tokens apart that share a window and are no neighbours.

    Parameters
    ----------
    size : (rows, columns) of the map, before it is filled up to whole windows
    side : of a window
    shift : (rows, columns) that the map was rolled back by, after it was filled up

    Returns
    -------
    mask : shape (windows, side x side, side x side), 0 or -100
    """
    lines = []
    for length, by in zip(size, shift, strict=True):
        whole = length + -length % side
        place = torch.arange(whole)
        # Zones, in the order after rolling: whole windows, the last one's own part, what came round.
        zone = (
            (place >= whole - side).long() + (place >= whole - by).long() if by else torch.zeros_like(place)
        )
        lines.append(torch.where((place + by) % whole >= length, 3, zone))
    zones = lines[0][:, None] * 4 + lines[1][None]
    high, wide = zones.shape[0] // side, zones.shape[1] // side
    windows = zones.reshape(high, side, wide, side).transpose(1, 2).reshape(high * wide, side * side)
    return torch.where(windows[:, None] == windows[:, :, None], 0.0, _APART)
