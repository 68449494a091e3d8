"""Explanation of an answer: attention over frames, spatial cells and words for each decoded output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from omninet.model.modalities.vision.config import Framed

METHOD = "occlusion"  # of the relevance of cells


@dataclass(frozen=True, eq=False)
class Attention:
    """Cross-attention of a row's decoder, one layer for each decoder layer and recurrent step.

    If the request asked for the mean, there is one layer with one head.

    Attributes:
        temporal: weights of the temporal cache, (layers, h, n, R).
        spatial: gated weights of the spatial cache, (layers, h, n, P); None if the spatial cache is empty.
        relevance: see Occlusion, (n, P); None if the spatial cache is empty.
        milliseconds: duration of computing all of these.
        grid: rows and columns of the cells of a frame; (0, 0) if the spatial cache is empty.
    """

    temporal: np.ndarray
    spatial: np.ndarray | None
    relevance: np.ndarray | None = None
    milliseconds: float = 0.0
    grid: tuple[int, int] = (0, 0)


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where each output of an answer came from: attention to frames and words, and relevance of the frames' cells.

    ``steps`` is the mean of the attention over layers and heads; ``attention`` has all of them if the request asked for
    layers.

    Attributes:
        outputs: texts of the outputs: the tokens of a caption, or the label.
        frames: number of frames; 1 for an image.
        times: time stamps of a video's frames, in seconds from its start.
        words: text of each time step of the question; empty for the begin and end tokens.
        framing: part of each picture that the cells cover.
        attention: attention weights.
    """

    outputs: tuple[str, ...]
    frames: int
    times: tuple[float, ...]
    words: tuple[str, ...]
    framing: Framed
    attention: Attention

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the cells of a frame; (0, 0) without a spatial cache."""
        return self.attention.grid

    def steps(self) -> np.ndarray:
        """Return the weights of frames, then words, (n, frames + words); each row sums to 1."""
        mean: np.ndarray = self.attention.temporal.mean((0, 1))
        return mean[: len(self.outputs)]

    def cells(self) -> np.ndarray:
        """Return the relevance of cells, (n, frames, rows, columns); the sum for each output is 1, or 0."""
        if self.attention.relevance is None:
            return np.zeros((len(self.outputs), self.frames, *self.grid), np.float32)
        found: np.ndarray = self.attention.relevance[: len(self.outputs)]
        return found.reshape(len(self.outputs), self.frames, *self.grid)

    @property
    def numbers(self) -> int:
        """Total number of attention weights."""
        return self.attention.temporal.size + (0 if self.attention.spatial is None else self.attention.spatial.size)

    def to_dict(self, layers: bool = False) -> dict[str, Any]:
        """Convert to JSON values; with ``layers`` also the weights of all layers and heads, (layers, h, n, ...)."""
        steps, cells = self.steps(), self.cells()
        found: dict[str, Any] = {
            "method": METHOD,
            "milliseconds": round(self.attention.milliseconds, 2),
            "grid": list(self.grid),
            "framing": {name: getattr(self.framing, name) for name in ("treatment", "share", "window", "aspect")},
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
