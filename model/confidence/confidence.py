"""Confidence of answers. Does not import torch.

An output reduces what was decoded to one number, its evidence, for example the log-odds of the label. ``omninet
calibrate`` fits a logistic function of the evidence to dev data (Platt 1999, "Probabilistic outputs for support vector
machines"), so that of all answers with a confidence of 0.7 about 70% are right. What counts as right is defined in
docs/api.md.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
LARGEST = 30.0  # largest log-odds; a probability of 1 would have infinite log-odds


@dataclass(frozen=True, eq=False)
class WordPresence:
    """Linear classifier of the words in the captions of a picture; it does not depend on the decoded text.

    A caption that names what the picture shows gets a high probability, even if the decoder had many ways to say it.

    Attributes:
        words: nouns in lower case.
        weight: (words, d), for the mean of the spatial cache.
        bias: (words,).
    """

    words: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    def log_odds(self, text: str, pooled: np.ndarray) -> float:
        """Return the log-odds that any noun of a text stands in a caption of the picture.

        Args:
            pooled: mean of the picture's spatial cache, (d,).
        """
        rows = [self._rows[word] for word in dict.fromkeys(words_of(text)) if word in self._rows]
        scores = self.weight[rows].astype(np.float64) @ pooled + self.bias[rows]
        # log(1 - p) = -log(1 + e^score); with no noun the probability is 0.
        return log_odds_of_complement(-float(np.logaddexp(0, scores).sum()))


@dataclass(frozen=True)
class Confidence:
    """Calibrated confidence of one task's answers.

    Attributes:
        slope, offset: parameters of the logistic function of the evidence.
        threshold: answers with a lower confidence are wrong at least as often as right.
        presence: evidence for captions of pictures; None for tasks whose evidence are the decoder's probabilities.
        absence: confidence that there is nothing to find; above its threshold nothing is answered. None for tasks that
            always answer something.
    """

    slope: float
    offset: float
    threshold: float
    presence: WordPresence | None = field(default=None, compare=False)
    absence: Confidence | None = None

    def of(self, evidence: float) -> float:
        """Return the confidence, in [0, 1]."""
        return float(1 / (1 + math.exp(-np.clip(self.slope * evidence + self.offset, -LARGEST, LARGEST))))


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation."""
    return WORD.findall(text.lower())


def log_odds(log_probability: float) -> float:
    """Return log(p / (1 - p)) for log(p), limited to ``LARGEST``."""
    return -log_odds_of_complement(log_probability)


def log_odds_of_complement(log_probability: float) -> float:
    """Return log((1 - p) / p) for log(p), limited to ``LARGEST``."""
    rest = -math.expm1(min(log_probability, 0.0))
    return min(LARGEST, max(-LARGEST, math.log(rest) - log_probability)) if rest > 0 else -LARGEST
