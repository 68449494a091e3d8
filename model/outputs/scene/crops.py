"""Cutting words out of a picture. Does not import torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from omninet.model.outputs.scene.box import WordBox

MARGIN = 0.12  # around a word, in its heights
LEAST_SIDE, MOST_SIDE = 4, 1024  # pixels of a cut word


def crops_of(pixels: np.ndarray, boxes: Sequence[WordBox]) -> list[np.ndarray]:
    """Return the upright picture of each word, uint8 RGB (height, width, 3), in the picture's own resolution.

    Args:
        pixels: uint8 RGB (3, height, width).
        boxes: in pixels; they may reach beyond the picture, where all is black.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return [np.asarray(_crop(image, box)) for box in boxes]


def _crop(image: Image.Image, box: WordBox) -> Image.Image:
    top_left, top_right, bottom_right, bottom_left = box.corners(MARGIN)
    sides = (box.wide + 2 * MARGIN * box.high, box.high + 2 * MARGIN * box.high)
    width, height = (max(LEAST_SIDE, min(MOST_SIDE, round(side))) for side in sides)
    quad = (*top_left, *bottom_left, *bottom_right, *top_right)
    return image.transform((width, height), Image.Transform.QUAD, quad, Image.Resampling.BILINEAR)
