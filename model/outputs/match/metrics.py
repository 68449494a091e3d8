"""Metrics of scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def area_under_curve(scores: Sequence[float], right: Sequence[bool]) -> float:
    """Return the area under the ROC curve: the probability that a right pair has a higher score than a wrong one.

    Equal scores count half. Without right or without wrong pairs it is 0.5.
    """
    positive = np.asarray(right, bool)
    values, ranks = np.unique(np.asarray(scores, float), return_inverse=True)
    counts = np.bincount(ranks, minlength=len(values))
    middle = (np.cumsum(counts) - (counts - 1) / 2)[ranks]  # mean rank of equal scores, from 1
    several, others = int(positive.sum()), int((~positive).sum())
    if not several or not others:
        return 0.5
    return float((middle[positive].sum() - several * (several + 1) / 2) / (several * others))
