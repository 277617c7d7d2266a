"""TransUNet's transformer: patches of the residual network's features, and layers of attention."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spinekit.nn.resnet import ResNet

_EPS = 1e-6


class Embeddings(nn.Module):
    """Features of the residual network as tokens that know their place."""

    def __init__(
        self, resnet: ResNet, features: int, hidden: int, grid: tuple[int, int], dropout: float
    ) -> None:
        super().__init__()
        self.grid = grid
        self.hybrid_model = resnet
        self.patch_embeddings = nn.Conv2d(features, hidden, 1)
        self.position_embeddings = nn.Parameter(torch.zeros(1, grid[0] * grid[1], hidden))
        self.dropout = nn.Dropout(dropout)
        nn.init.trunc_normal_(self.position_embeddings, std=0.02)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor], tuple[int, int]]:
        """Return the tokens (n, rows x columns, hidden), the skips, and (rows, columns) of the tokens."""
        features, skips = self.hybrid_model(x)
        patches = self.patch_embeddings(features)
        grid = patches.shape[2], patches.shape[3]
        tokens = patches.flatten(2).transpose(1, 2)
        return self.dropout(tokens + self.positions(grid)), skips, grid

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """Return the position embeddings of a grid, between the stored ones where it is another grid."""
        return resized_positions(self.position_embeddings, self.grid, grid)


class Attention(nn.Module):
    """Scaled dot products of several heads."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens (n, tokens, hidden)."""
        query, key, value = (
            of(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for of in (self.query, self.key, self.value)
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with exact GELU between them."""

    def __init__(self, hidden: int, width: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(hidden, width)
        self.fc2 = nn.Linear(width, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Change each token by itself."""
        return self.dropout(self.fc2(self.dropout(nn.functional.gelu(self.fc1(x)))))


class Layer(nn.Module):
    """Attention, then the linear layers, each after a normalisation and beside a shortcut."""

    def __init__(self, hidden: int, heads: int, mlp: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden, eps=_EPS)
        self.ffn_norm = nn.LayerNorm(hidden, eps=_EPS)
        self.ffn = FeedForward(hidden, mlp, dropout)
        self.attn = Attention(hidden, heads)

    def forward(self, x: Tensor) -> Tensor:
        """Mix and change tokens (n, tokens, hidden)."""
        x = x + self.attn(self.attention_norm(x))
        return x + self.ffn(self.ffn_norm(x))


class Encoder(nn.Module):
    """All layers, and a normalisation after the last."""

    def __init__(self, layers: int, hidden: int, heads: int, mlp: int, dropout: float) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(hidden, heads, mlp, dropout) for _ in range(layers))
        self.encoder_norm = nn.LayerNorm(hidden, eps=_EPS)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Encode tokens (n, tokens, hidden)."""
        for layer in self.layer:
            x = layer(x)
        return self.encoder_norm(x)


class Transformer(nn.Module):
    """Embeddings and encoder, under the names that published checkpoints have for them."""

    def __init__(self, embeddings: Embeddings, encoder: Encoder) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.encoder = encoder

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the encoded map (n, hidden, rows / 16, columns / 16) and the skips, smallest first."""
        tokens, skips, grid = self.embeddings(x)
        return self.encoder(tokens).transpose(1, 2).unflatten(2, grid), skips


def resized_positions(positions: Tensor, grid: Sequence[int], wanted: Sequence[int]) -> Tensor:
    """Return position embeddings of another grid.

    Parameters
    ----------
    positions : shape (1, rows x columns, hidden)
    grid : (rows, columns) of the embeddings
    wanted : (rows, columns) of the result

    Returns
    -------
    positions : shape (1, rows x columns, hidden) of the wanted grid; itself where the grids are the same

    Notes
    -----
    Bilinear between the centres of patches (torch: ``align_corners=False``, no antialiasing).
    """
    if tuple(grid) == tuple(wanted):
        return positions
    pictures = positions.transpose(1, 2).reshape(1, -1, *grid)
    resized = nn.functional.interpolate(pictures, tuple(wanted), mode="bilinear", align_corners=False)
    return resized.flatten(2).transpose(1, 2)
