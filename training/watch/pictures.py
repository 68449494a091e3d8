"""Thumbnails of pictures and videos."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from omninet.model.errors import InputError
from omninet.model.media.images import decode_image
from omninet.model.media.videos import decode_video

SIDE = 224
FRAMES = 4


def strip(path: Path) -> Tensor:
    """Return a picture, or a few frames of a video side by side: RGB, uint8, (3, height, width).

    Raises:
        InputError: the file is neither, or damaged.
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    try:
        frames = decode_image(data).pixels[None]
    except InputError:
        frames = decode_video(data, FRAMES).frames
    return torch.cat(tuple(_shrunk(torch.from_numpy(frames))), dim=-1)


def _shrunk(frames: Tensor) -> Tensor:
    """Reduce the sides to at most SIDE pixels."""
    height, width = frames.shape[-2:]
    scale = min(1.0, SIDE / max(height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    small: Tensor = functional.resize(frames, size, antialias=True)
    return small
