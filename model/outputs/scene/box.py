"""Boxes around words, which may be slanted. Does not import torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

Corners = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class WordBox:
    """A box around a word.

    Attributes:
        x, y: its middle.
        wide, high: lengths along the text and across it.
        angle: between the text and the horizontal, in radians; above 0 if it falls to the right.
        probability: that there is a word.
    """

    x: float
    y: float
    wide: float
    high: float
    angle: float = 0.0
    probability: float = 1.0

    @classmethod
    def around(cls, corners: Corners) -> Self:
        """Return a box of the size of four corners, given clockwise from the top left one of the text.

        Of a polygon with more or fewer corners it is the upright box around it.
        """
        points = np.array(corners, float)
        if len(points) != 4:
            (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
            return cls((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        across = points[1] + points[2] - points[0] - points[3]
        middle = points.mean(0)
        sides = np.linalg.norm(np.roll(points, -1, 0) - points, axis=1)
        wide, high = (sides[0] + sides[2]) / 2, (sides[1] + sides[3]) / 2
        angle = math.atan2(across[1], across[0])
        return cls(float(middle[0]), float(middle[1]), float(wide), float(high), angle)

    def corners(self, margin: float = 0.0) -> list[tuple[float, float]]:
        """Return the corners, clockwise from the top left one of the text.

        Args:
            margin: added on all sides, in heights of the box.
        """
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        u, v = self.wide / 2 + margin * self.high, self.high / 2 + margin * self.high
        around = ((-u, -v), (u, -v), (u, v), (-u, v))
        return [(self.x + cos * a - sin * b, self.y + sin * a + cos * b) for a, b in around]

    def moved(self, left: float, top: float, scale: float) -> WordBox:
        """Return the box enlarged by ``scale`` and then moved to the right and down."""
        x, y, wide, high = (scale * length for length in (self.x, self.y, self.wide, self.high))
        return WordBox(left + x, top + y, wide, high, self.angle, self.probability)


def holding(boxes: Sequence[WordBox]) -> np.ndarray:
    """Return for each box which middles of all boxes it holds, booleans (n, n)."""
    x, y, wide, high, angle = np.array([(b.x, b.y, b.wide, b.high, b.angle) for b in boxes]).reshape(-1, 5).T
    dx, dy = x[None] - x[:, None], y[None] - y[:, None]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    along, across = np.abs(cos * dx + sin * dy), np.abs(cos * dy - sin * dx)
    found: np.ndarray = (along <= wide[:, None] / 2) & (across <= high[:, None] / 2)
    return found


def without_repeats(boxes: Sequence[WordBox], held: np.ndarray) -> list[int]:
    """Return the places of the likeliest boxes whose middles lie in no likelier one, and that hold no middle of one.

    Words do not overlap, so that this takes the place of an overlap threshold, which slanted boxes would make slow.

    Args:
        held: result of ``holding``.
    """
    free, kept = np.ones(len(boxes), bool), []
    for i in sorted(range(len(boxes)), key=lambda i: -boxes[i].probability):
        if free[i]:
            kept.append(i)
            free &= ~(held[i] | held[:, i])
    return kept


def in_reading_order(boxes: Sequence[WordBox]) -> list[WordBox]:
    """Return boxes line by line from the top, each line from the left.

    A box belongs to a line if its middle is level with that of the line's last box, to half the height of the smaller.
    """
    lines: list[list[WordBox]] = []
    for box in sorted(boxes, key=lambda each: each.x):
        level = [line for line in lines if abs(_level(line[-1], box.x) - box.y) < min(line[-1].high, box.high) / 2]
        if level:
            min(level, key=lambda line: abs(_level(line[-1], box.x) - box.y)).append(box)
        else:
            lines.append([box])
    lines.sort(key=lambda line: sum(box.y for box in line) / len(line))
    return [box for line in lines for box in line]


def _level(box: WordBox, x: float) -> float:
    """Return the y of a box's line of text at another x."""
    return box.y + math.tan(max(-1.0, min(1.0, box.angle))) * (x - box.x)
