"""A training picture or clip, seen anew: another region, perhaps mirrored, in other light."""

from __future__ import annotations

import math
import random

from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from omninet.model.modalities.vision.config import VisionConfig
from omninet.training.pipeline.squares import fit_tensor

LEAST = 0.08  # of the picture's area
RATIO = 4 / 3  # of a region's longer side to its shorter, at most
TRIES = 10
STRENGTH = 0.4
LIGHT = (transforms.adjust_brightness, transforms.adjust_contrast, transforms.adjust_saturation)


def augment(frames: Tensor, config: VisionConfig, generator: random.Random) -> Tensor:
    """The paper's augmentation: a random region, mirrored half of the time, in random light.

    All frames are treated alike, and what is random comes from ``generator`` alone. The region becomes a square in the
    way that serving makes one of a picture. Hues stay: questions and captions are about colours.

    Args:
        frames: uint8 RGB (t, 3, height, width).

    Returns:
        uint8 RGB (t, 3, size, size).
    """
    top, left, height, width = region(frames.shape[-2], frames.shape[-1], LEAST, generator)
    framing = config.image if len(frames) == 1 else config.video
    square = fit_tensor(frames[..., top : top + height, left : left + width], framing, config.size)
    if generator.random() < 0.5:
        square = square.flip(-1)
    return _relit(square, generator)


def region(height: int, width: int, least: float, generator: random.Random) -> tuple[int, int, int, int]:
    """Top, left, height and width of a region with at least that share of the area; too thin a picture stays whole."""
    for _ in range(TRIES):
        area = height * width * generator.uniform(least, 1.0)
        ratio = math.exp(generator.uniform(-math.log(RATIO), math.log(RATIO)))
        h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < h <= height and 0 < w <= width:
            return generator.randint(0, height - h), generator.randint(0, width - w), h, w
    return 0, 0, height, width


def _relit(frames: Tensor, generator: random.Random) -> Tensor:
    """Brightness, contrast and saturation changed in random order, (t, 3, s, s)."""
    t, channels, height, width = frames.shape
    # As one tall picture, so that all frames share the mean that contrast is measured from.
    tall = frames.transpose(0, 1).reshape(channels, t * height, width)
    for change in generator.sample(LIGHT, len(LIGHT)):
        tall = change(tall, generator.uniform(1 - STRENGTH, 1 + STRENGTH))
    return tall.view(channels, t, height, width).transpose(0, 1).contiguous()
