"""Frames to the square that the backbone sees; training and serving both come through here."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as transforms

from model.peripherals.vision import VisionConfig

GREY = 128


def fit(frames: Tensor, config: VisionConfig) -> Tensor:
    """uint8 RGB (t, 3, height, width) -> (t, 3, size, size), treated as the configuration says."""
    if config.treatment == "crop":
        return _crop(frames, config.size)
    if config.treatment == "pad":
        return _pad(frames, config.size)
    return _resize(frames, config.size, config.size)


def _crop(frames: Tensor, size: int) -> Tensor:
    # The middle is cut out before it is scaled: scaling a long, thin picture first would take gigabytes.
    middle: Tensor = transforms.center_crop(frames, [min(frames.shape[-2:])])
    return _resize(middle, size, size)


def _pad(frames: Tensor, size: int) -> Tensor:
    height, width = frames.shape[-2:]
    scale = size / max(height, width)
    inner = _resize(frames, max(1, round(height * scale)), max(1, round(width * scale)))
    top, left = (size - inner.shape[-2]) // 2, (size - inner.shape[-1]) // 2
    margins = (left, size - inner.shape[-1] - left, top, size - inner.shape[-2] - top)
    return functional.pad(inner, margins, value=GREY)


def _resize(frames: Tensor, height: int, width: int) -> Tensor:
    if frames.shape[-2:] == torch.Size((height, width)):
        return frames
    resized: Tensor = transforms.resize(frames, [height, width], antialias=True)
    return resized
