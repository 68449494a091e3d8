"""Ground truth of scenes: the words of a picture. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.outputs.scene.answer import Point


@dataclass(frozen=True)
class WrittenWord:
    """A word that is written in a picture.

    Attributes:
        corners: of a polygon around it, clockwise from the top left one of the text, in pixels; four or more.
        text: what it says; None if it cannot be read, so that it does not count.
    """

    corners: tuple[Point, ...]
    text: str | None
