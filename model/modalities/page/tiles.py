"""Tiles of a fixed size that cover a picture. Does not import torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from omninet.model.modalities.page.config import PageConfig
from omninet.model.modalities.vision.resize import resize

OVERLAP = 0.2  # share of a tile that its neighbour shows, too, so that a small word is whole in one of them
COARSE = 1.3  # a picture so many times as large as a tile is seen in several tiles, besides in one that shows it whole
LARGEST = 2.0  # pixels of a tile for each pixel of a small picture
GREY = 128  # beside a picture


@dataclass(frozen=True, eq=False)
class Tile:
    """A part of a picture as the network sees it.

    Attributes:
        pixels: uint8 RGB (3, height, width).
        left, top: place in the picture, in its pixels.
        scale: pixels of the tile for each pixel of the picture.
        part: width and height of the part of the picture, in its pixels; grey is beside it.
    """

    pixels: np.ndarray
    left: float
    top: float
    scale: float
    part: tuple[float, float]


def tiles_of(pixels: np.ndarray, config: PageConfig) -> list[Tile]:
    """Return tiles that cover a picture: one with the whole of it, and smaller parts of a large one.

    Args:
        pixels: uint8 RGB (3, height, width).
    """
    high, wide = pixels.shape[1:]
    whole = _tile(pixels, config, 0, 0, wide, high, min(config.width / wide, config.height / high, LARGEST))
    scale = min(1.0, config.most / max(wide, high))
    if max(scale * wide / config.width, scale * high / config.height) < COARSE:
        return [whole]
    parts = [
        _tile(pixels, config, left, top, min(config.width / scale, wide), min(config.height / scale, high), scale)
        for top in _starts(high, config.height / scale)
        for left in _starts(wide, config.width / scale)
    ]
    return [whole, *parts]


def _starts(length: int, part: float) -> list[float]:
    """Return where parts begin that cover a length, evenly spread."""
    if length <= part:
        return [0.0]
    count = math.ceil((length - part) / (part * (1 - OVERLAP))) + 1
    return [i * (length - part) / (count - 1) for i in range(count)]


def _tile(
    pixels: np.ndarray, config: PageConfig, left: float, top: float, wide: float, high: float, scale: float
) -> Tile:
    x, y = round(left), round(top)
    cut = pixels[:, y : y + round(high), x : x + round(wide)]
    rows = min(config.height, max(1, round(scale * cut.shape[1])))
    columns = min(config.width, max(1, round(scale * cut.shape[2])))
    found = np.full((3, config.height, config.width), GREY, np.uint8)
    found[:, :rows, :columns] = resize(cut, rows, columns)
    # Rounding matters least in the longer side.
    exact = columns / cut.shape[2] if columns >= rows else rows / cut.shape[1]
    return Tile(found, x, y, exact, (cut.shape[2], cut.shape[1]))
