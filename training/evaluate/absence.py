"""Calibration of absence: the probability that there is nothing to find, and when to answer so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from omninet.model.confidence.confidence import Confidence
from omninet.model.outputs.boxes.absence import keeping_threshold
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.evaluate.answering import BATCH, prepare
from omninet.training.evaluate.platt import platt


def fit_absence(predictor: Predictor, examples: Sequence[Example]) -> Confidence | None:
    """Fit the probability of absence to dev examples; None if the thing is absent in all of them, or in none.

    Its threshold keeps 90% of the things that are there: nine of ten of them have a lower probability of absence.
    """
    output = predictor.output(examples[0].task)
    absent = np.array([output.is_absent(example) for example in examples])
    if absent.all() or not absent.any():
        return None
    evidence = np.array(_evidence(predictor, examples))
    slope, offset = platt(evidence, absent)
    untested = Confidence(slope, offset, threshold=1.0)
    presence = [1 - untested.of(value) for value in evidence[~absent]]
    return Confidence(slope, offset, 1 - keeping_threshold(presence))


def _evidence(predictor: Predictor, examples: Sequence[Example]) -> list[float]:
    """Return the log-odds of absence for each example."""
    output, found = predictor.output(examples[0].task), list[float]()
    for start in range(0, len(examples), BATCH):
        rows = [row for example in examples[start : start + BATCH] for row in prepare(predictor, example).rows]
        found += [output.absence(decoded) for decoded in predictor.run(rows)]
    return found
