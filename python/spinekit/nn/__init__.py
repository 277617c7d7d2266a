"""Reference networks of torch, for training and to judge the engine by.

Three networks find the eight overlapping bones of a lateral film: `TransUNet`, with the parameter names of
the published one, and the two that it is compared with, `UNet` and `SwinUNet`. A `PEN` in front of them
turns five or six versions of a film into three channels.

>>> from spinekit import nn  # doctest: +SKIP
>>> model = nn.TransUNet(size=(512, 256))  # doctest: +SKIP
>>> nn.load_checkpoint(model, "R50+ViT-B_16.npz")  # doctest: +SKIP
>>> nn.save(model, "spine.safetensors")  # doctest: +SKIP
>>> model = nn.load("spine.safetensors")  # doctest: +SKIP

Needs the extra ``spinekit[models]``; nothing else of spinekit imports torch.
"""

from spinekit._core import UnsupportedError

try:
    import safetensors as _safetensors  # noqa: F401 - only to tell here, once, that it is missing
    import torch as _torch  # noqa: F401
except (ImportError, OSError) as _failure:  # an OSError where a library of torch does not load
    raise UnsupportedError(
        f"spinekit.nn needs torch and safetensors: pip install 'spinekit[models]' ({_failure})"
    ) from _failure

from spinekit.nn.checkpoints import read_weights
from spinekit.nn.exporting import export_torchscript
from spinekit.nn.fitting import Loaded, configuration_of, load_checkpoint
from spinekit.nn.network import LABELS, PEN, Network
from spinekit.nn.storing import build, load, save
from spinekit.nn.swinunet import SwinUNet
from spinekit.nn.transunet import Preset, TransUNet
from spinekit.nn.unet import UNet

__all__ = [
    "LABELS",
    "PEN",
    "Loaded",
    "Network",
    "Preset",
    "SwinUNet",
    "TransUNet",
    "UNet",
    "build",
    "configuration_of",
    "export_torchscript",
    "load",
    "load_checkpoint",
    "read_weights",
    "save",
]
