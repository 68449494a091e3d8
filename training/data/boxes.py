"""Boxes of data sets, as fractions of the width and height of the whole photo.

(0, 0) is the upper left corner of the photo and (1, 1) the lower right one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from omninet.model.outputs.boxes.answer import Places
from omninet.model.outputs.boxes.metrics import Box, iou
from omninet.training.data.base import Example

SAME = 0.999  # IoU of a box with itself, after rounding


def checked_box(values: Sequence[float]) -> Box:
    """Return a box of fractions.

    Raises:
        ValueError: there are not four numbers, a number is not in [0, 1], or a corner is on the wrong side.
    """
    x1, y1, x2, y2 = (float(value) for value in values)
    if not (0 <= x1 <= x2 <= 1 and 0 <= y1 <= y2 <= 1):
        raise ValueError(f"box {list(values)} is not x1, y1, x2, y2 in [0, 1] with x1 <= x2 and y1 <= y2")
    return x1, y1, x2, y2


def box_of_pixels(corners: Sequence[float], size: Sequence[float]) -> Box:
    """Convert x1, y1, x2, y2 in pixels to fractions; parts outside of the photo are cut off.

    Args:
        size: width and height of the photo in pixels.

    Raises:
        ValueError: there are not four corners, a value is not finite, or the size is not positive.
    """
    width, height = size
    if not (width > 0 and height > 0 and all(map(math.isfinite, corners))):
        raise ValueError(f"box {list(corners)} does not fit a photo of {width} x {height} pixels")
    x1, y1, x2, y2 = corners
    return checked_box([_inside(x1 / width), _inside(y1 / height), _inside(x2 / width), _inside(y2 / height)])


def box_of_sides(box: Sequence[float], size: Sequence[float]) -> Box:
    """Convert x, y, width, height in pixels, as COCO stores boxes, to fractions; for errors see ``box_of_pixels``."""
    x, y, width, height = box
    return box_of_pixels((x, y, x + width, y + height), size)


def in_pixels(box: Box, size: Sequence[float]) -> Box:
    """Convert fractions to pixels of a photo, as requests give candidates."""
    width, height = size
    return box[0] * width, box[1] * height, box[2] * width, box[3] * height


def candidate_accuracy(examples: Sequence[Example], answers: Sequence[Places]) -> dict[str, float]:
    """Return the share in percent of the examples whose right candidate is the likeliest."""
    right = [
        bool(answer.boxes) and iou(answer.boxes[0].relative, example.truth[0]) > SAME
        for example, answer in zip(examples, answers, strict=True)
    ]
    return {"accuracy among candidates": 100 * sum(right) / len(right)}


def _inside(value: float) -> float:
    return min(max(value, 0.0), 1.0)
