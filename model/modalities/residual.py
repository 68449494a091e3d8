"""Residual convolution blocks of modality nets (One Model To Learn Them All, Kaiser et al. 2017, 2.5)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each cell."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> the same shape."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class SeparableStep(nn.Module):
    """ReLU, depthwise separable convolution, layer norm."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        padding = kernel // 2
        self.depthwise = nn.Conv2d(channels, channels, kernel, stride, padding, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, out_channels, 1)
        self.norm = ChannelNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, out_channels, height / stride, width / stride)."""
        normed: Tensor = self.norm(self.pointwise(self.depthwise(functional.relu(x))))
        return normed


class ResidualConvolution(nn.Module):
    """Two steps of 3 x 3, and one of 1 x 1 beside them.

    Args:
        halves: whether height and width are halved, by the largest of 3 x 3 cells.
    """

    def __init__(self, channels: int, out_channels: int, halves: bool) -> None:
        super().__init__()
        self.first = SeparableStep(channels, out_channels, 3)
        self.second = SeparableStep(out_channels, out_channels, 3)
        self.pool = nn.MaxPool2d(3, 2, 1) if halves else nn.Identity()
        self.shortcut = SeparableStep(channels, out_channels, 1, 2 if halves else 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(n, channels, height, width) -> (n, out_channels, height or its half, width or its half).

        Args:
            mask: 0 at padding, 1 elsewhere, of a shape like (n, 1, height, 1); only for blocks that do not halve.
        """
        changed = self.first(x if mask is None else x * mask)
        changed = self.second(changed if mask is None else changed * mask)
        summed: Tensor = self.pool(changed) + self.shortcut(x)
        return summed


class ResidualNet(nn.Module):
    """The image modality net: two steps, then three blocks that halve the resolution.

    224 x 224 pixels give 14 x 14 cells.
    """

    out_channels = 512

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2, padding=1)
        self.step = SeparableStep(32, 64, 3)
        widths = (64, 128, 256, self.out_channels)
        self.blocks = nn.Sequential(*(ResidualConvolution(*pair, halves=True) for pair in pairwise(widths)))

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute feature maps of normalised pixels: (n, 3, height, width) -> (n, 512, height / 16, width / 16)."""
        maps: Tensor = self.blocks(self.step(self.stem(pixels)))
        return maps
