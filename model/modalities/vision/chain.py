"""A backbone of our own: when served, nothing but one 3 x 3 convolution after the other."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from omninet.model.modalities.vision.compact import ConvNorm, stages


class ChainNet(nn.Module):
    """Convolutions trained beside an identity, which is folded into them afterwards (RepVGG, Ding et al. 2021).

    The stem leaves a sixteenth of the positions, so that nearly all work is done in dense convolutions on 28 x 28
    cells and fewer, which is where CPUs come near their peak. 224 x 224 pixels give the usual 7 x 7 grid.
    """

    out_channels = 768

    def __init__(
        self, stem: int = 32, widths: tuple[int, ...] = (64, 192, 448), depths: tuple[int, ...] = (1, 4, 4)
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(3, stem, kernel=7, stride=4)
        self.blocks = stages(stem, [(ChainBlock, *shape) for shape in zip(widths, depths, strict=True)])
        self.top = ConvNorm(widths[-1], self.out_channels, kernel=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) normalised pixels -> (n, 768, height / 32, width / 32)."""
        x = functional.relu(self.stem(pixels))
        return functional.relu(self.top(self.blocks(x)))

    def merged(self) -> ChainNet:
        """Return a copy that computes the same with each block's identity and normalisation in its convolution."""
        network = copy.deepcopy(self).eval()
        network.blocks = nn.Sequential(*(block.merged() for block in self.blocks if isinstance(block, ChainBlock)))
        return network


class ChainBlock(nn.Module):
    """One 3 x 3 convolution, and the identity where the shape stays."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv = ConvNorm(channels, out_channels, kernel=3, stride=stride)
        self.residual = channels == out_channels and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, out_channels, height / stride, width / stride)."""
        y = self.conv(x)
        return functional.relu(y + x if self.residual else y)

    @torch.no_grad()
    def merged(self) -> nn.Sequential:
        """Return one convolution and the activation that compute the same in evaluation mode."""
        conv, norm = copy.deepcopy(self.conv).eval()
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        merged = fuse_conv_bn_eval(conv, norm)
        if self.residual:
            channels = torch.arange(merged.out_channels)
            merged.weight[channels, channels, 1, 1] += 1
        return nn.Sequential(merged, nn.ReLU())
