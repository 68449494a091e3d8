"""OmniNet's backbone ``chain``: for inference a plain chain of 3 x 3 convolutions."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from omninet.model.modalities.vision.compact import ConvNorm, stages


class ChainNet(nn.Module):
    """Convolutions with identity shortcuts that are folded into them for inference (RepVGG, Ding et al. 2021).

    The stem reduces the resolution by 4 and the first block by 2, so that most work is in dense convolutions on at most
    28 x 28 cells, where CPUs come close to peak performance. 224 x 224 pixels give 7 x 7 cells.
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
        """Compute feature maps of normalised pixels: (n, 3, height, width) -> (n, 768, height / 32, width / 32)."""
        x = functional.relu(self.stem(pixels))
        return functional.relu(self.top(self.blocks(x)))

    def merged(self) -> ChainNet:
        """Return an equivalent copy in which each block is a single convolution with activation, in evaluation mode."""
        network = copy.deepcopy(self).eval()
        network.blocks = nn.Sequential(*(block.merged() for block in self.blocks if isinstance(block, ChainBlock)))
        return network


class ChainBlock(nn.Module):
    """A 3 x 3 convolution with an identity shortcut if input and output shapes are equal."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv = ConvNorm(channels, out_channels, kernel=3, stride=stride)
        self.residual = channels == out_channels and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Compute (n, channels, height, width) -> (n, out_channels, height / stride, width / stride)."""
        y = self.conv(x)
        return functional.relu(y + x if self.residual else y)

    @torch.no_grad()
    def merged(self) -> nn.Sequential:
        """Return an equivalent convolution with activation, in evaluation mode."""
        conv, norm = copy.deepcopy(self.conv).eval()
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        merged = fuse_conv_bn_eval(conv, norm)
        if self.residual:
            channels = torch.arange(merged.out_channels)
            merged.weight[channels, channels, 1, 1] += 1
        return nn.Sequential(merged, nn.ReLU())
