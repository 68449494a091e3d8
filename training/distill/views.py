"""Fixed views of photos, for which teacher outputs are cached, and the random augmentation of the student's input."""

from __future__ import annotations

import random
from typing import Literal

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

Kind = Literal["squash", "crop", "pad"]
RATIO = (3 / 4, 4 / 3)  # width / height of a crop
GREY = 124
TRIES = 10  # attempts to place a crop inside a photo


def view(pixels: Tensor, kind: Kind, size: int, least: float, seed: int) -> Tensor:
    """Return a view of a photo: uint8 (3, height, width) -> (3, size, size).

    Args:
        kind: ``squash`` stretches the whole photo to a square; ``pad`` fits it and fills with grey; ``crop`` takes a
            part of random place, size and shape.
        least: minimum share of the photo's area in a crop.
        seed: of the crop.
    """
    height, width = pixels.shape[-2:]
    if kind == "squash":
        return _resize(pixels, size, size)
    if kind == "crop":
        top, left, rows, columns = _crop(height, width, least, random.Random(seed))
        return _resize(pixels[:, top : top + rows, left : left + columns], size, size)
    scale = size / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    small = _resize(pixels, rows, columns)
    padded = pixels.new_full((3, size, size), GREY)
    top, left = (size - rows) // 2, (size - columns) // 2
    padded[:, top : top + rows, left : left + columns] = small
    return padded


def jitter(views: Tensor, most: float) -> Tensor:
    """Change the brightness of each view and channel, and the contrast of each view.

    Args:
        views: uint8 (b, 3, size, size).
        most: maximum relative change.

    Returns:
        float (b, 3, size, size) in [0, 1].
    """
    b = len(views)
    gain = 1 + most * (2 * torch.rand(b, 3, 1, 1) - 1)
    contrast = 1 + most * (2 * torch.rand(b, 1, 1, 1) - 1)
    augmented = torch.empty(views.shape, memory_format=torch.channels_last)
    for row, shown in enumerate(views):  # one view at a time fits into the processor's cache
        pixels = shown.float().div_(255)
        augmented[row] = pixels.lerp_(pixels.mean(), 1 - contrast[row]).mul_(gain[row]).clamp_(0, 1)
    return augmented


def _resize(pixels: Tensor, height: int, width: int) -> Tensor:
    resized: Tensor = functional.resize(pixels, [height, width], antialias=True)
    return resized


def _crop(height: int, width: int, least: float, draw: random.Random) -> tuple[int, int, int, int]:
    """Return top, left, height and width of a random crop (Szegedy et al. 2015), or the whole if none fits."""
    for _ in range(TRIES):
        area = height * width * draw.uniform(least, 1)
        ratio = RATIO[0] * (RATIO[1] / RATIO[0]) ** draw.random()
        columns, rows = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < columns <= width and 0 < rows <= height:
            return draw.randint(0, height - rows), draw.randint(0, width - columns), rows, columns
    return 0, 0, height, width
