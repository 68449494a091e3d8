"""Whether a model works."""

from __future__ import annotations

import math

import numpy as np

from model.errors import CheckpointError
from model.predictor import Predictor
from model.processor import Processor
from model.rows import Row


def warm_up(predictor: Predictor) -> None:
    """Run every task once.

    Raises:
        CheckpointError: a probability is no number.
    """
    rows = probe(predictor)
    for row, decoded in zip(rows, predictor.run(rows), strict=True):
        found = [*decoded.log_probabilities, *(value for _, value in decoded.candidates)]
        if not all(map(math.isfinite, found)):
            raise CheckpointError(f"task {row.goal.task} gives probabilities that are no numbers")


def probe(processor: Processor) -> list[Row]:
    """A row of every task: the first run of anything is slow, and a broken one is better found before a request is."""
    grey = np.full((64, 64, 3), 128, np.uint8)
    rows: list[Row] = []
    for task in processor.tasks:
        rows += processor.sample(task, grey, "A dog runs.").rows
    return rows
