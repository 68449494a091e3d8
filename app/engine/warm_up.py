"""Trial run of a model."""

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
        CheckpointError: a task gives NaN or infinite probabilities.
    """
    rows = probe(predictor)
    for row, decoded in zip(rows, predictor.run(rows), strict=True):
        if not _is_finite(decoded):
            raise CheckpointError(
                f"task {row.goal.task} gives NaN or infinite probabilities; check the checkpoint's weights"
            )


def probe(processor: Processor) -> list[Row]:
    """Return a sample row of every task: the first run of each is slow and shows whether the task works at all."""
    return [row for task in processor.tasks for row in processor.sample(task, 0).rows]


def _is_finite(decoded: Decoded) -> bool:
    found = [*decoded.log_probabilities, *(value for _, value in decoded.candidates)]
    return all(map(math.isfinite, found)) and (decoded.values is None or bool(np.isfinite(decoded.values).all()))
