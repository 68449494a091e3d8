"""What the network says of each cell of a tile: whether it is within a word, and how far the word reaches.

As in EAST (Zhou et al. 2017), each cell in the middle part of a word predicts the distances to its four sides and its
angle. Lengths are in cells. Does not import torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from omninet.model.modalities.page.config import SHAPE
from omninet.model.outputs.scene.box import WordBox, holding, without_repeats

VALUES = 6  # of a cell: logit of a word, logarithms of the distances to the left, top, right and bottom, and the angle
NUMBERS = 6  # of a word in a target: x, y, width, height, angle, and whether it can be read
LEAST = 0.3  # probability of a cell above which it gives a box
MOST_CELLS, MOST_WORDS = 800, 100  # of a tile: cells that give boxes, and boxes; the likeliest first


def grid_of(cells: int) -> tuple[int, int]:
    """Return the number of rows and columns of a tile's cells."""
    rows = math.isqrt(cells * SHAPE[1] // SHAPE[0])
    return rows, cells // rows


def boxes_of(values: np.ndarray, least: float = LEAST) -> list[WordBox]:
    """Return the boxes around the words of a tile, in cells.

    Each is the mean of the boxes of the cells that agree with the likeliest one: each holds the middle of the other.

    Args:
        values: of each cell, (cells * VALUES).
    """
    cells = values.reshape(-1, VALUES).astype(np.float64)
    rows, columns = grid_of(len(cells))
    probabilities = 1 / (1 + np.exp(-cells[:, 0]))
    likely = np.argsort(-probabilities, kind="stable")[:MOST_CELLS]
    likely = likely[probabilities[likely] > least]
    found = [_box(cells[i], i % columns + 0.5, i // columns + 0.5, float(probabilities[i])) for i in likely.tolist()]
    held = holding(found)
    kept = [i for i in without_repeats(found, held)[:MOST_WORDS] if _is_within(found[i], rows, columns)]
    return [_mean([found[j] for j in np.flatnonzero(held[i] & held[:, i])], found[i].probability) for i in kept]


def _is_within(box: WordBox, rows: int, columns: int) -> bool:
    return 0 <= box.x < columns and 0 <= box.y < rows


def _box(cell: np.ndarray, x: float, y: float, probability: float) -> WordBox:
    left, top, right, bottom = np.exp(cell[1:5].clip(-5, 5)).tolist()
    angle = float(cell[5])
    u, v = (right - left) / 2, (bottom - top) / 2
    cos, sin = math.cos(angle), math.sin(angle)
    return WordBox(x + cos * u - sin * v, y + sin * u + cos * v, left + right, top + bottom, angle, probability)


def _mean(boxes: Sequence[WordBox], probability: float) -> WordBox:
    """Return the mean of boxes, weighted by their probabilities."""
    sides = np.array([(box.x, box.y, box.wide, box.high, box.angle) for box in boxes])
    weights = [box.probability for box in boxes]
    x, y, wide, high, _ = np.average(sides, 0, weights).tolist()
    sine, cosine = (np.average(turn(sides[:, 4]), 0, weights) for turn in (np.sin, np.cos))
    return WordBox(x, y, wide, high, math.atan2(sine, cosine), probability)
