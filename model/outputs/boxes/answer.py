"""Answers of the boxes output."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.outputs.answer import PlainAnswer


@dataclass(frozen=True)
class PlacedBox:
    """A box around a thing.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the picture as displayed, after its EXIF orientation.
        relative: x1, y1, x2, y2 as fractions of the picture's width and height.
        probability: that the box is right.
    """

    box: tuple[float, float, float, float]
    relative: tuple[float, float, float, float]
    probability: float


@dataclass(frozen=True, kw_only=True)
class Places(PlainAnswer):
    """Where a thing is in a picture.

    Attributes:
        boxes: the likeliest first; empty if the thing is absent.
        absent_probability: that the thing is not in the picture.
    """

    boxes: tuple[PlacedBox, ...]
    absent_probability: float
