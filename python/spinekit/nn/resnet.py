"""The residual network in front of TransUNet's transformer, with the published parameter names."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

#: Of the group normalisations; those beside a projection keep torch's 1e-5, as published.
_NORM_EPS = 1e-6

_FILTER_EPS = 1e-5


class StdConv2d(nn.Conv2d):
    """A convolution whose filters are standardised: mean 0 and population variance 1.

    References
    ----------
    Qiao et al., Micro-Batch Training with Batch-Channel Normalization and Weight Standardization, 2019,
    arXiv 1903.10520.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve with the standardised filters."""
        variance, mean = torch.var_mean(self.weight, (1, 2, 3), correction=0, keepdim=True)
        weight = (self.weight - mean) / torch.sqrt(variance + _FILTER_EPS)
        return nn.functional.conv2d(x, weight, self.bias, self.stride, self.padding)


class Unit(nn.Module):
    """A bottleneck: 1 x 1, 3 x 3, which carries the stride, and 1 x 1, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, groups: int, stride: int) -> None:
        super().__init__()
        middle = outputs // 4
        self.conv1 = StdConv2d(inputs, middle, 1, bias=False)
        self.gn1 = nn.GroupNorm(groups, middle, eps=_NORM_EPS)
        self.conv2 = StdConv2d(middle, middle, 3, stride, padding=1, bias=False)
        self.gn2 = nn.GroupNorm(groups, middle, eps=_NORM_EPS)
        self.conv3 = StdConv2d(middle, outputs, 1, bias=False)
        self.gn3 = nn.GroupNorm(groups, outputs, eps=_NORM_EPS)
        self.projects = stride != 1 or inputs != outputs
        if self.projects:
            self.downsample = StdConv2d(inputs, outputs, 1, stride, bias=False)
            self.gn_proj = nn.GroupNorm(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the bottleneck finds to the shortcut."""
        shortcut = self.gn_proj(self.downsample(x)) if self.projects else x
        found = torch.relu(self.gn1(self.conv1(x)))
        found = torch.relu(self.gn2(self.conv2(found)))
        return torch.relu(shortcut + self.gn3(self.conv3(found)))


class ResNet(nn.Module):
    """Three stages of bottlenecks behind a root: features at 1/16, and skips at 1/8, 1/4 and 1/2.

    Parameters
    ----------
    width : channels of the root; the stages have 4, 8 and 16 times as many
    units : bottlenecks of each of the three stages
    groups : of the normalisations
    """

    def __init__(self, width: int, units: Sequence[int], groups: int) -> None:
        super().__init__()
        self.root = nn.Sequential(
            OrderedDict(
                conv=StdConv2d(3, width, 7, stride=2, padding=3, bias=False),
                gn=nn.GroupNorm(groups, width, eps=_NORM_EPS),
                relu=nn.ReLU(),
            )
        )
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = width
        for stage, number in enumerate(units, 1):
            outputs, stride = width * 2 << stage, 1 if stage == 1 else 2
            stages[f"block{stage}"] = nn.Sequential(
                OrderedDict(
                    (
                        f"unit{k}",
                        Unit(inputs if k == 1 else outputs, outputs, groups, stride if k == 1 else 1),
                    )
                    for k in range(1, number + 1)
                )
            )
            inputs = outputs
        self.body = nn.Sequential(stages)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the features, and the skips, smallest first."""
        rows, columns = x.shape[2:]
        skips = [self.root(x)]
        # No padding, as published: the pooled map is one row and column short of a quarter. Only the copy
        # that goes to the decoder is filled up; the network goes on with the short one.
        x = nn.functional.max_pool2d(skips[0], 3, 2)
        *early, last = self.body
        for stage, block in enumerate(early, 2):
            x = block(x)
            missing = (rows >> stage) - x.shape[2], (columns >> stage) - x.shape[3]
            skips.append(nn.functional.pad(x, (0, missing[1], 0, missing[0])))
        return last(x), skips[::-1]
