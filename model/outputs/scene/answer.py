"""Answers of the scene output."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.outputs.answer import PlainAnswer

Point = tuple[float, float]


@dataclass(frozen=True)
class PlacedWord:
    """A word in a picture.

    Attributes:
        text: what it says.
        point: x and y of its middle, in pixels of the picture as displayed, after its EXIF orientation.
        corners: of the upright or slanted box around it, from the top left one of the text clockwise, in pixels.
        relative: the corners as fractions of the picture's width and height.
        probability: that there is a word and that it says this.
    """

    text: str
    point: Point
    corners: tuple[Point, ...]
    relative: tuple[Point, ...]
    probability: float


@dataclass(frozen=True, kw_only=True)
class ReadScene(PlainAnswer):
    """What is written in a picture.

    Attributes:
        words: in reading order; empty if no word was found.
    """

    words: tuple[PlacedWord, ...]
