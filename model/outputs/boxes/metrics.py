"""Metrics of grounding: accuracy at an intersection over union (IoU) of 0.5. Does not import torch."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.model.outputs.base import Metrics

Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in fractions of the photo's width and height
Boxes = Sequence[Box]

THRESHOLD = 0.5
# COCO's limits of 32 x 32 and 96 x 96 pixels, as shares of the area of its usual photo of 640 x 480 pixels.
SMALL = 32 * 32 / (640 * 480)  # 0.33% of the photo; a smaller box is small
LARGE = 96 * 96 / (640 * 480)  # 3% of the photo; a box of this area or more is large
SIZES = ("small", "medium", "large")


def iou(one: Box, other: Box) -> float:
    """Return the area of the intersection of two boxes divided by that of their union; 0 if both have no area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    union = area(one) + area(other) - common
    return common / union if union > 0 else 0.0


def area(box: Box) -> float:
    """Return the share of the photo's area that a box covers."""
    return (box[2] - box[0]) * (box[3] - box[1])


def is_found(truth: Boxes, given: Boxes, threshold: float = THRESHOLD) -> bool:
    """Return whether any of the given boxes has an IoU of at least ``threshold`` with any of the true ones."""
    return any(iou(right, box) >= threshold for right in truth for box in given)


def size_of(truth: Boxes) -> str:
    """Return the size of a phrase's largest true box: ``small``, ``medium`` or ``large``."""
    largest = max(map(area, truth))
    return SIZES[(largest >= SMALL) + (largest >= LARGE)]


def grounding_metrics(truths: Sequence[Boxes], given: Sequence[Boxes]) -> Metrics:
    """Compute the accuracy in percent of the first box, of any box, and of the first box by size of the true box.

    A phrase with several true boxes, such as "two girls", counts as right if one of them is found ("any box" protocol,
    Kamath et al. 2021, MDETR). A phrase without answer is wrong. Sizes without a phrase are left out.

    Args:
        truths: boxes of each phrase, at least one.
        given: predicted boxes of each phrase, best first; empty if the phrase was said to be absent.

    Raises:
        ValueError: there is no phrase, or a phrase has no true box.
    """
    if not truths or not all(truths):
        raise ValueError("grounding is measured on phrases with at least one true box")
    first = [is_found(truth, boxes[:1]) for truth, boxes in zip(truths, given, strict=True)]
    anywhere = [is_found(truth, boxes) for truth, boxes in zip(truths, given, strict=True)]
    found = {"accuracy at IoU 0.5": _percent(first), "accuracy at IoU 0.5, any box": _percent(anywhere)}
    sizes = [size_of(truth) for truth in truths]
    for size in SIZES:
        of_size = [is_right for is_right, other in zip(first, sizes, strict=True) if other == size]
        if of_size:
            found[f"accuracy at IoU 0.5, {size}"] = _percent(of_size)
    return found


def _percent(right: Sequence[bool]) -> float:
    return 100 * sum(right) / len(right)
