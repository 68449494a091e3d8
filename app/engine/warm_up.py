"""Whether a model works."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from omninet.model.decoding.hypotheses import Decoded
from omninet.model.errors import CheckpointError
from omninet.model.processor import Processor
from omninet.model.rows import Row

if TYPE_CHECKING:
    from omninet.model.predictor import Predictor


def warm_up(predictor: Predictor) -> None:
    """Run every task once.

    Raises:
        CheckpointError: a task gives what is no number.
    """
    rows = probe(predictor)
    for row, decoded in zip(rows, predictor.run(rows), strict=True):
        if not _is_finite(decoded):
            raise CheckpointError(f"task {row.goal.task} gives probabilities that are no numbers")


def probe(processor: Processor) -> list[Row]:
    """A row of every task: the first run of anything is slow, and a broken one is better found before a request is."""
    return [row for task in processor.tasks for row in processor.sample(task, 0).rows]


def _is_finite(decoded: Decoded) -> bool:
    found = [*decoded.log_probabilities, *(value for _, value in decoded.candidates)]
    return all(map(math.isfinite, found)) and (decoded.values is None or bool(np.isfinite(decoded.values).all()))
