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
        self._steps = log_probabilities.astype(np.float64)
        self._end = end
        self._known: dict[tuple[int, ...], Longer] = {}  # prefix -> what may follow it

    def following(self, prefix: Sequence[int]) -> np.ndarray:
        """Return what each class adds to the score of a prefix, (c,).

        A prefix has to come after its own beginnings: first the empty one, then those with one class more.
        """
        score, states = self._of(tuple(prefix))
        longer = self._longer(tuple(prefix), states)
        # Prefixes that are shorter than this one will not be asked for again.
        self._known = {known: found for known, found in self._known.items() if len(known) >= len(prefix) - 1}
        self._known[tuple(prefix)] = longer
        added: np.ndarray = longer.scores - score
        added[self._end] = np.logaddexp(*states[-1]) - score
        return added.clip(NEVER)

    def _of(self, prefix: tuple[int, ...]) -> tuple[float, np.ndarray]:
        """Return score and states, (t, 2), of a prefix."""
        if prefix:
            scores, states = self._known[prefix[:-1]]
            return float(scores[prefix[-1]]), states[:, :, prefix[-1]]
        blanks = self._steps[:, self._end].cumsum()
        return 0.0, np.stack([np.full_like(blanks, NEVER), blanks], 1)

    def _longer(self, prefix: tuple[int, ...], states: np.ndarray) -> Longer:
        steps, end = self._steps, self._end
        # Alignments of the steps so far that a class can follow; only after a blank can it repeat the last one.
        before = np.repeat(np.logaddexp(states[:, 0], states[:, 1])[:, None], steps.shape[1], 1)
        if prefix:
            before[:, prefix[-1]] = states[:, 1]
        found = np.full((len(steps), 2, steps.shape[1]), NEVER)
        if not prefix:
            found[0, 0] = steps[0]
        for t in range(1, len(steps)):
            found[t, 0] = np.logaddexp(found[t - 1, 0], before[t - 1]) + steps[t]
            found[t, 1] = np.logaddexp(found[t - 1, 0], found[t - 1, 1]) + steps[t, end]
        starts = np.concatenate([found[:1, 0], before[:-1] + steps[1:]])
        return Longer(np.logaddexp.reduce(starts, axis=0), found)
