"""EfficientNet-Lite0, a teacher: EfficientNet-B0 (Tan, Le 2019) without squeeze-and-excitation, with ReLU6."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

NAME = "efficientnet_lite0"
CLASSES = 1000
EPSILON = 1e-3  # of its batch normalisation


@dataclass(frozen=True)
class Stage:
    """Blocks of one width: number, kernel size, stride of the first block, expansion factor and output channels."""

    depth: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
# Published layer names -> ours.
INNER = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}
OUTER = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "top.conv",
    "_bn1": "top.norm",
    "_fc": "classifier",
}


def _conv(channels: int, width: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Return a convolution with TensorFlow's "SAME" padding for even input sizes, and its batch normalisation."""
    before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
    uneven = before != after
    padding = [nn.ZeroPad2d((before, after, before, after))] if uneven else []
    conv = nn.Conv2d(channels, width, kernel, stride, 0 if uneven else before, groups=groups, bias=False)
    return [*padding, conv, nn.BatchNorm2d(width, eps=EPSILON)]


class Part(nn.Sequential):
    """Optional padding, convolution, batch normalisation and an optional activation."""

    def __init__(self, layers: Sequence[nn.Module], active: bool) -> None:
        named: list[tuple[str, nn.Module]] = list(zip(("pad", "conv", "norm")[-len(layers) :], layers, strict=True))
        super().__init__(OrderedDict([*named, ("act", nn.ReLU6())] if active else named))


class Block(nn.Module):
    """Inverted residual block (Sandler et al. 2018)."""

    def __init__(self, channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = channels * stage.expansion
        self.expand = nn.Identity() if stage.expansion == 1 else Part(_conv(channels, inner), active=True)
        self.depthwise = Part(_conv(inner, inner, stage.kernel, stride, inner), active=True)
        self.project = Part(_conv(inner, stage.width), active=False)
        self.residual = channels == stage.width and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, width, height / stride, width / stride)."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """The classifier; height and width of the input must be multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Part(_conv(3, 32, 3, 2), active=True)
        blocks: list[nn.Module] = []
        channels = 32
        for stage in STAGES:
            for i in range(stage.depth):
                blocks.append(Block(channels, stage, stage.stride if i == 0 else 1))
                channels = stage.width
        self.blocks = nn.Sequential(*blocks)
        self.top = Part(_conv(channels, 1280), active=True)
        self.classifier = nn.Linear(1280, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) -> class logits (n, 1000)."""
        logits: Tensor = self.classifier(self.top(self.blocks(self.stem(pixels))).mean((2, 3)))
        return logits


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert published weights to the names of EfficientNetLite0 and float32, and add batch normalisation counters."""
    found = {_renamed(name): tensor.float() for name, tensor in weights.items()}
    counters = [name.replace("running_mean", "num_batches_tracked") for name in found if "running_mean" in name]
    return {name: torch.tensor(0) for name in counters} | found


def _renamed(name: str) -> str:
    if found := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name):
        return f"blocks.{found[1]}.{INNER[found[2]]}.{found[3]}"
    whole, _, leaf = name.rpartition(".")
    return f"{OUTER[whole]}.{leaf}" if whole in OUTER else name
