"""Small networks, and weights for them under the names of official files; needs torch."""

import numpy as np
import torch

import published
from spinekit import nn

SMALL = {"width": 8, "units": (2, 1, 1), "hidden": 16, "layers": 2, "mlp": 24}
PRESET = nn.Preset(**SMALL, groups=4, heads=2, entry=16, decoder=(16, 8, 8, 8))


def network(size=64, classes=9, channels=3):
    return nn.TransUNet(PRESET, size=size, classes=classes, channels=channels)


def official(tokens=16, classes=9):
    """Return a small state dict with the official names."""
    shapes = published.transunet(**SMALL, tokens=tokens, entry=16, decoder=(16, 8, 8, 8), classes=classes)
    maker = torch.Generator().manual_seed(1)
    return {
        # Positive for variances, which are among them.
        name: torch.rand(shape, generator=maker) if shape else torch.tensor(3)
        for name, shape in shapes.items()
    }


def google(side=4):
    """Return arrays with the names of Google's file."""
    random = np.random.default_rng(1)
    shapes = published.google(**SMALL, heads=2, side=side)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def assert_same(state, expected):
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), name
