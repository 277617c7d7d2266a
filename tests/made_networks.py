"""Networks in files, whose answers are known or can be had from torch; needs torch."""

import subprocess
import sys
import textwrap
import warnings

import numpy as np
import torch

import spinekit as sk
from conftest import made_film
from spinekit import nn

SIZE = (96, 64)
FILM = made_film((288, 192), np.uint16)
BONES = ("L1", "L2", "L3", "L4", "L5", "sacrum", "FH1", "FH2")


def random_network(architecture="transunet", seed=0, **options):
    torch.manual_seed(seed)
    if architecture == "swinunet":
        small = {"embed": 24, "heads": (1, 2, 3, 4), "size": (224, 224)}
        return nn.SwinUNet(**small | options).eval()
    if architecture == "unet":
        return nn.UNet(width=8, size=options.pop("size", SIZE), **options).eval()
    return nn.TransUNet("tiny", size=options.pop("size", SIZE), **options).eval()


def settled_network(logits, size=SIZE, **options):
    """Return a TransUNet that says the same everywhere: one logit for each class."""
    model = random_network(size=size, classes=len(logits), **options)
    with torch.no_grad():
        model.segmentation_head[0].weight.zero_()
        model.segmentation_head[0].bias[:] = torch.tensor(logits)
    return model


def of_model(model, path, **options):
    """Return a Segmenter of a network of torch, through a file."""
    nn.save(model, path)
    return sk.Segmenter(path, **{"threads": 2} | options)


def told(model, films):
    """Return what torch itself says."""
    with torch.no_grad():
        return model(torch.from_numpy(np.ascontiguousarray(films, np.float32))).float().numpy()


class Window(torch.nn.Module):
    """Shows the film itself: logits are its first channel, 8 times, times 8 and shifted to -4 ... 4."""

    def forward(self, films):
        return films[:, :1].expand(-1, 8, -1, -1) * 8 - 4


class Flat(torch.nn.Module):
    """Gives one number for all films, which is no map."""

    def forward(self, films):
        return films.mean()


def foreign(module, path, channels=1, size=SIZE):
    """Write a TorchScript file that says nothing of itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        torch.jit.save(torch.jit.trace(module, torch.rand(1, channels, *size)), path)
    return path


def films(count=1, channels=6, size=SIZE, seed=0):
    return np.random.default_rng(seed).random((count, channels, *size), np.float32)


def assert_agree(ours, theirs, tolerance=1e-4):
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def dice(ours, theirs):
    return 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())


def run(code, *arguments):
    """Run code in a Python of its own; what it prints is the answer."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
