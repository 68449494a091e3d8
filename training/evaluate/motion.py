"""Synthetic clips from photos, by a pan or a zoom ("Ken Burns effect")."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from omninet.model.media.videos import Clip

FRAMES = 16
SECONDS = 4.0
PAN = 0.75  # side of the panning window, relative to the photo's
ZOOM = 0.65  # side of the smallest zoom window, relative to the photo's


@dataclass(frozen=True)
class Window:
    """A part of a photo, relative to its width and height."""

    left: float
    top: float
    side: float


def in_motion(pixels: np.ndarray, name: str) -> Clip:
    """Return a clip of 16 frames; the motion is derived from ``name``, so it is fixed for each photo.

    Args:
        pixels: uint8 RGB, (3, height, width); the frames have the same size.
    """
    start, end = path(random.Random(name))
    shares = [i / (FRAMES - 1) for i in range(FRAMES)]
    frames = [_cut(torch.from_numpy(pixels), _between(start, end, share)) for share in shares]
    return Clip(torch.stack(frames).numpy(), tuple(SECONDS * i / FRAMES for i in range(FRAMES)), SECONDS)


def path(generator: random.Random) -> tuple[Window, Window]:
    """Return the first and the last window: a zoom or a pan, forwards or backwards."""
    if generator.random() < 0.5:
        room = 1 - ZOOM
        ends = [Window(0.0, 0.0, 1.0), Window(room * generator.random(), room * generator.random(), ZOOM)]
    else:
        room = 1 - PAN
        across = room * generator.random()
        ends = [Window(0.0, across, PAN), Window(room, across, PAN)]
        if generator.random() < 0.5:
            ends = [Window(window.top, window.left, PAN) for window in ends]
    generator.shuffle(ends)
    return ends[0], ends[1]


def _between(start: Window, end: Window, share: float) -> Window:
    return Window(*(a + share * (b - a) for a, b in zip(vars(start).values(), vars(end).values(), strict=True)))


def _cut(pixels: Tensor, window: Window) -> Tensor:
    height, width = pixels.shape[-2:]
    box = [round(window.top * height), round(window.left * width)]
    sides = [max(1, round(window.side * height)), max(1, round(window.side * width))]
    cut: Tensor = transforms.resized_crop(pixels, *box, *sides, [height, width], antialias=True)
    return cut
