"""Scores of a text by how it can be aligned to the time steps of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NEVER = -1e9  # log-probability of what is impossible; finite, so that differences are numbers


class Longer(NamedTuple):
    """What is known of a prefix with each class after it.

    Attributes:
        scores: log-probability of all texts that begin so, (c,).
        states: for each time step, log-probability of all alignments of the steps so far that end with the class, and
            that end with a blank after it, (t, 2, c).
    """

    scores: np.ndarray
    states: np.ndarray


class PrefixScores:
    """Scores of the classes that may follow a prefix, by connectionist temporal classification (Graves et al. 2006).

    The score of a prefix is the log-probability of all texts that begin with it; that of the end is the log-probability
    of the text itself (Watanabe et al. 2017, section II-C). What a class adds to the score of its prefix is returned:
    these numbers add up to the log-probability of the text.

    Args:
        log_probabilities: of each class at each time step, (t, c).
        end: end token, which is no character; in an alignment it is the blank.
    """

    def __init__(self, log_probabilities: np.ndarray, end: int) -> None:
        self.steps, self.end = log_probabilities.astype(np.float64), end
        self._known: dict[tuple[int, ...], Longer] = {}  # prefix -> what may follow it

    def following(self, prefix: Sequence[int]) -> np.ndarray:
        """Return what each class adds to the score of a prefix, (c,); see ``following_all``."""
        found: np.ndarray = following_all([(self, prefix)])[0]
        return found

    def of(self, prefix: Sequence[int]) -> tuple[float, np.ndarray]:
        """Return score and states, (t, 2), of a prefix; a longer one must have come after its beginning."""
        if prefix:
            scores, states = self._known[tuple(prefix[:-1])]
            return float(scores[prefix[-1]]), states[:, :, prefix[-1]]
        blanks = self.steps[:, self.end].cumsum()
        return 0.0, np.stack([np.full_like(blanks, NEVER), blanks], 1)

    def keep(self, prefix: Sequence[int], longer: Longer) -> None:
        """Keep what is known of a prefix with each class after it; shorter beginnings are not needed any more."""
        self._known = {known: found for known, found in self._known.items() if len(known) >= len(prefix) - 1}
        self._known[tuple(prefix)] = longer


def following_all(asked: Sequence[tuple[PrefixScores, Sequence[int]]]) -> np.ndarray:
    """Return what each class adds to the score of each prefix, (n, c), computed together.

    A prefix has to come after its own beginnings: first the empty one, then those with one class more.

    Args:
        asked: alignments of one vocabulary, each with a prefix.
    """
    known = [scores.of(prefix) for scores, prefix in asked]
    lengths, ends = [len(states) for _, states in known], [scores.end for scores, _ in asked]
    n, longest, count = len(asked), max(lengths), asked[0][0].steps.shape[1]
    steps, before = np.zeros((n, longest, count)), np.full((n, longest, count), NEVER)
    found = np.full((n, longest, 2, count), NEVER)
    for i, ((scores, prefix), (_, states)) in enumerate(zip(asked, known, strict=True)):
        steps[i, : lengths[i]] = scores.steps
        # Alignments of the steps so far that a class can follow; only after a blank can it repeat the last one.
        before[i, : lengths[i]] = np.logaddexp(states[:, 0], states[:, 1])[:, None]
        if prefix:
            before[i, : lengths[i], prefix[-1]] = states[:, 1]
        else:
            found[i, 0, 0] = scores.steps[0]
    blanks = steps[np.arange(n), :, ends][..., None]
    for t in range(1, longest):
        found[:, t, 0] = np.logaddexp(found[:, t - 1, 0], before[:, t - 1]) + steps[:, t]
        found[:, t, 1] = np.logaddexp(found[:, t - 1, 0], found[:, t - 1, 1]) + blanks[:, t]
    added = np.empty((n, count))
    for i, ((scores, prefix), (score, states)) in enumerate(zip(asked, known, strict=True)):
        starts = before[i, : lengths[i] - 1] + steps[i, 1 : lengths[i]]
        longer = np.logaddexp.reduce(np.concatenate([found[i, :1, 0], starts]), axis=0)
        scores.keep(prefix, Longer(longer, found[i, : lengths[i]].copy()))
        added[i] = longer - score
        added[i, ends[i]] = np.logaddexp(*states[-1]) - score
    return added.clip(NEVER)
