"""How the cells of an input lie in its pictures. Does not import torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

# Windows along each side of an image, and of a video's frames.
IMAGE_WINDOWS, VIDEO_WINDOWS = 4, 3
SMOOTHING = 1 / 7  # chosen with the width of the windows on flickr8k_entities


@dataclass(frozen=True)
class Layout:
    """How the cells of an input lie in its pictures, and how closely explanations look at them.

    Attributes:
        frames, rows, columns: of the cells.
        windows: number of windows along the rows and along the columns; see ``Occlusion``.
        smoothing: standard deviation of the smoothing, relative to the number of rows or columns.
        by_column: whether the time steps are the columns of one picture; otherwise they are its frames.
    """

    frames: int
    rows: int
    columns: int
    windows: tuple[int, int]
    smoothing: float = SMOOTHING
    by_column: bool = False

    @classmethod
    def square(cls, t: int, s: int) -> Self:
        """Return the layout of t frames of s cells each, a square."""
        side, windows = math.isqrt(s), IMAGE_WINDOWS if t == 1 else VIDEO_WINDOWS
        return cls(t, side, side, (windows, windows))
