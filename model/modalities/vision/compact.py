"""OmniNet's backbone ``compact``: a small residual network that is fast on CPUs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional


class CompactNet(nn.Module):
    """Residual network of basic blocks (He et al. 2016) with early downsampling.

    The stem reduces the resolution by 4 and the first block by 2, so that most work is in wide convolutions on at most
    28 x 28 cells, where CPUs come close to peak performance. 224 x 224 pixels give 7 x 7 cells.
    """

    out_channels = 512

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 256), depths: tuple[int, ...] = (1, 2, 5)) -> None:
        super().__init__()
        self.stem = ConvNorm(3, widths[0], kernel=7, stride=4)
        self.blocks = stages(widths[0], [(BasicBlock, *shape) for shape in zip(widths[1:], depths, strict=True)])
        self.top = ConvNorm(widths[-1], self.out_channels, kernel=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute feature maps of normalised pixels: (n, 3, height, width) -> (n, 512, height / 32, width / 32)."""
        x = functional.relu(self.stem(pixels))
        return functional.relu(self.top(self.blocks(x)))


# Constructor of a block, called with (channels, out_channels, stride); width and depth of a stage.
Stage = tuple[Callable[[int, int, int], nn.Module], int, int]


def stages(channels: int, shapes: Sequence[Stage]) -> nn.Sequential:
    """Build stages of blocks; the first block of each stage halves the resolution and sets the width."""
    blocks: list[nn.Module] = []
    for block, width, depth in shapes:
        for i in range(depth):
            blocks.append(block(channels, width, 2 if i == 0 else 1))
            channels = width
    return nn.Sequential(*blocks)


class ConvNorm(nn.Sequential):
    """Convolution without bias, then batch normalisation."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels, out_channels, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class BasicBlock(nn.Module):
    """Residual block of two 3 x 3 convolutions (He et al. 2016)."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, out_channels, kernel=3, stride=stride)
        self.second = ConvNorm(out_channels, out_channels, kernel=3)
        same = channels == out_channels and stride == 1
        self.shortcut = nn.Identity() if same else ConvNorm(channels, out_channels, kernel=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Compute (n, channels, height, width) -> (n, out_channels, height / stride, width / stride)."""
        return functional.relu(self.shortcut(x) + self.second(functional.relu(self.first(x))))
