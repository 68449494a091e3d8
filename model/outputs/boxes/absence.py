"""Metrics of rejection: whether a phrase is not in the photo at all. Does not import torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

KEPT = 0.9


def keeping_threshold(scores: Sequence[float], kept: float = KEPT) -> float:
    """Return the highest threshold that at least a share ``kept`` of the scores reaches.

    Raises:
        ValueError: there is no score, or ``kept`` is not in (0, 1].
    """
    if not scores or not 0 < kept <= 1:
        raise ValueError(f"a share {kept} of {len(scores)} scores cannot be kept")
    # The tolerance makes 0.9 of 10 scores 9 of them in spite of rounding.
    return sorted(scores, reverse=True)[math.ceil(kept * len(scores) - 1e-9) - 1]


def rejection(present: Sequence[float], absent: Sequence[float], kept: float = KEPT) -> float:
    """Return the share in percent of absent phrases that are rejected while a share ``kept`` of present ones is kept.

    Args:
        present: score of each phrase that is in its photo; higher means more likely present.
        absent: score of each phrase of another photo; phrases that reach the threshold are not rejected.

    Raises:
        ValueError: there is no score of one kind.
    """
    if not absent:
        raise ValueError("no phrase of another photo is given")
    threshold = keeping_threshold(present, kept)
    return 100 * sum(score < threshold for score in absent) / len(absent)


def absence_f1(is_absent: Sequence[bool], said_absent: Sequence[bool]) -> float:
    """Return the F1 of saying that a phrase is absent, in percent; 0 if no absence is found."""
    pairs = list(zip(is_absent, said_absent, strict=True))
    hits = sum(truth and said for truth, said in pairs)
    return 200 * hits / (sum(is_absent) + sum(said_absent)) if hits else 0.0


def absence_average_precision(is_absent: Sequence[bool], scores: Sequence[float]) -> float:
    """Return the average precision of absence in percent: the mean precision over the recall steps of all thresholds.

    Args:
        scores: of presence; the phrase with the lowest is the first to be called absent. Equal scores share a step.

    Raises:
        ValueError: no phrase is absent.
    """
    total = sum(is_absent)
    if not total:
        raise ValueError("no phrase is absent")
    ranked = sorted(zip(scores, is_absent, strict=True), key=lambda pair: pair[0])
    hits, seen, found = 0, 0, 0.0
    for _, group in groupby(ranked, key=lambda pair: pair[0]):
        step = [truth for _, truth in group]
        hits, seen = hits + sum(step), seen + len(step)
        found += sum(step) * hits / seen
    return 100 * found / total
