"""Views of training pictures, and examples whose boxes and words change with the view."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from omninet.training.data import Example

Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in fractions of a picture's width and height
KEPT = 0.6  # minimum share of a box that a view must show
SIDES = re.compile(r"\b(left|right)(?!-)\b", re.IGNORECASE)


@dataclass(frozen=True)
class View:
    """What a training view shows.

    Attributes:
        part: shown part of the picture.
        mirrored: whether left and right are exchanged.
    """

    part: Box = (0.0, 0.0, 1.0, 1.0)
    mirrored: bool = False


def part_of(top: int, left: int, height: int, width: int, size: tuple[int, int]) -> Box:
    """Convert a region to fractions of a picture of ``size``, height and width."""
    high, wide = size
    return left / wide, top / high, (left + width) / wide, (top + height) / high


def seen_in(example: Example, view: View) -> Example | None:
    """Return an example with boxes as its truth as a view shows it; None if the view cuts off too much of a box."""
    boxes = [_moved(box, view) for box in example.truth]
    if None in boxes:
        return None
    return replace(example, truth=tuple(boxes), inputs=_mirrored(example.inputs) if view.mirrored else example.inputs)


def _moved(box: Box, view: View) -> Box | None:
    """Return a box in fractions of the view; None if less than KEPT of its area is visible."""
    left, top, right, bottom = view.part
    visible = max(box[0], left), max(box[1], top), min(box[2], right), min(box[3], bottom)
    if min(visible[2] - visible[0], visible[3] - visible[1]) <= 0 or _area(visible) < KEPT * _area(box):
        return None
    wide, high = right - left, bottom - top
    x1, x2 = ((x - left) / wide for x in (visible[0], visible[2]))
    y1, y2 = ((y - top) / high for y in (visible[1], visible[3]))
    return (1 - x2, y1, 1 - x1, y2) if view.mirrored else (x1, y1, x2, y2)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _mirrored(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Exchange the words left and right in the texts of an example."""
    return {name: SIDES.sub(_other_side, value) if isinstance(value, str) else value for name, value in inputs.items()}


def _other_side(found: re.Match[str]) -> str:
    word = found[0]
    other = "left" if word.lower() == "right" else "right"
    return other.capitalize() if word[0].isupper() else other
