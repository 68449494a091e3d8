"""What the network looked at: its attention over pictures, moments and words, while it wrote each output."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from omninet.model.modalities.vision.config import Framed


@dataclass(frozen=True, eq=False)
class Attention:
    """The decoder's attention to a row's memory, after the gate; each run of a layer is a layer of its own.

    Where only their mean was asked for, there is one layer of one head.

    Attributes:
        temporal: weights of the steps, (layers, h, n, R).
        spatial: what multiplied the values of the cells, (layers, h, n, P); None where there are no cells.
    """

    temporal: np.ndarray
    spatial: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Explanation:
    """What each output of an answer attended to: the frames of what is seen, their cells, and the question's words.

    The mean over all layers and heads is what the methods give; ``attention`` has each of them, if they were asked for.

    Attributes:
        outputs: the tokens of a caption, or the one label.
        frames: of a picture there is one.
        times: of a video's frames, in seconds from its start.
        words: of the question, as the network takes them; an empty one is its begin or its end.
        framing: which part of each picture the cells cover.
    """

    outputs: tuple[str, ...]
    frames: int
    times: tuple[float, ...]
    words: tuple[str, ...]
    framing: Framed
    attention: Attention

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells that a frame has; 0 where it is one vector."""
        if self.attention.spatial is None:
            return 0, 0
        side = math.isqrt(self.attention.spatial.shape[-1] // self.frames)
        return side, side

    def steps(self) -> np.ndarray:
        """Weights of frames and words, in this order, (n, frames + words); each row sums to 1."""
        mean: np.ndarray = self.attention.temporal.mean((0, 1))
        return mean[: len(self.outputs)]

    def cells(self) -> np.ndarray:
        """Weights of cells, (n, frames, rows, columns); no more than 1 in all, less where the gate is the paper's."""
        if self.attention.spatial is None:
            return np.zeros((len(self.outputs), self.frames, 0, 0), np.float32)
        mean: np.ndarray = self.attention.spatial.mean((0, 1))[: len(self.outputs)]
        return mean.reshape(len(self.outputs), self.frames, *self.grid)

    @property
    def numbers(self) -> int:
        """How many there are in all."""
        return self.attention.temporal.size + (0 if self.attention.spatial is None else self.attention.spatial.size)

    def to_dict(self, layers: bool = False) -> dict[str, Any]:
        """JSON values; with ``layers`` also those of every layer and head, (layers, h, n, ...)."""
        steps, cells = self.steps(), self.cells()
        found: dict[str, Any] = {
            "grid": list(self.grid),
            "framing": asdict(self.framing),
            "times": list(self.times),
            "words": list(self.words),
            "tokens": [
                {
                    "text": text,
                    "frames": _rounded(steps[i, : self.frames]),
                    "words": _rounded(steps[i, self.frames :]),
                    "cells": _rounded(cells[i]),
                }
                for i, text in enumerate(self.outputs)
            ],
        }
        if layers:
            spatial = self.attention.spatial
            each = None if spatial is None else spatial.reshape(*spatial.shape[:3], self.frames, *self.grid)
            found["layers"] = {
                "steps": _rounded(self.attention.temporal[:, :, : len(self.outputs)]),
                "cells": None if each is None else _rounded(each[:, :, : len(self.outputs)]),
            }
        return found


def _rounded(values: np.ndarray) -> Any:
    return values.astype(np.float64).round(6).tolist()
