"""Augmentation of training pictures and clips: random crop, mirroring, brightness, contrast and saturation."""

from __future__ import annotations

import math
import random

from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from omninet.model.modalities.vision.config import VisionConfig
from omninet.training.pipeline.squares import fit_tensor
from omninet.training.pipeline.views import View, part_of

LEAST = 0.08  # minimum share of the picture's area
RATIO = 4 / 3  # maximum ratio of a region's longer side to its shorter one
TRIES = 10
STRENGTH = 0.4
HALF = 0.5
LIGHT = (transforms.adjust_brightness, transforms.adjust_contrast, transforms.adjust_saturation)


def augment(frames: Tensor, config: VisionConfig, generator: random.Random) -> tuple[Tensor, View]:
    """Augment as in the paper: random crop, mirroring with probability 0.5, random brightness and colour.

    All frames are changed in the same way, with random numbers from ``generator`` only. The crop is made square with
    the framing that serving uses. The hue is not changed, since questions and captions mention colours.

    Args:
        frames: uint8 RGB (t, 3, height, width).

    Returns:
        uint8 RGB (t, 3, size, size), and what they show.
    """
    top, left, height, width = region(frames.shape[-2], frames.shape[-1], LEAST, generator)
    framing = config.image if len(frames) == 1 else config.video
    square = fit_tensor(frames[..., top : top + height, left : left + width], framing, config.size)
    shown = part_of(top, left, height, width, (frames.shape[-2], frames.shape[-1]))
    view = View(shown, mirrored=generator.random() < HALF)
    return _relit(square.flip(-1) if view.mirrored else square, generator), view


def region(height: int, width: int, least: float, generator: random.Random) -> tuple[int, int, int, int]:
    """Return top, left, height and width of a random region with at least ``least`` of the area.

    If TRIES attempts do not fit, which happens for very thin pictures, the region is the whole picture.
    """
    for _ in range(TRIES):
        area = height * width * generator.uniform(least, 1.0)
        ratio = math.exp(generator.uniform(-math.log(RATIO), math.log(RATIO)))
        h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < h <= height and 0 < w <= width:
            return generator.randint(0, height - h), generator.randint(0, width - w), h, w
    return 0, 0, height, width


def _relit(frames: Tensor, generator: random.Random) -> Tensor:
    """Change brightness, contrast and saturation of frames (t, 3, height, width) in random order."""
    t, channels, height, width = frames.shape
    # The frames are stacked into one tall picture, so that all share the mean from which contrast is computed.
    tall = frames.transpose(0, 1).reshape(channels, t * height, width)
    for change in generator.sample(LIGHT, len(LIGHT)):
        tall = change(tall, generator.uniform(1 - STRENGTH, 1 + STRENGTH))
    return tall.view(channels, t, height, width).transpose(0, 1).contiguous()
