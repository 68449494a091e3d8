"""The search for one row's outputs."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.decoding.sampler import Sampler
from omninet.model.decoding.sampling import Sampling

Longer = tuple[int, int, float]  # a hypothesis, the token that it goes on with, and the token's log-probability


class Search:
    """The search for one row's outputs, likeliest first.

    Attributes:
        hypotheses: those that go on, best first, as many as there are beams; where there are not so many yet, None.
        finished: those that have ended.
    """

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self.hypotheses: list[Hypothesis | None] = [Hypothesis(), *[None] * (goal.beams - 1)]
        self.finished: list[Hypothesis] = []
        self.candidates: list[tuple[int, float]] = []

    @property
    def last(self) -> list[int]:
        """The token that each hypothesis ends with; any where it has none."""
        return [h.tokens[-1] if h and h.tokens else 0 for h in self.hypotheses]

    @property
    def totals(self) -> list[float]:
        """Natural logarithm of the probability of each hypothesis."""
        return [h.total if h else -math.inf for h in self.hypotheses]

    @property
    def settled(self) -> Hypothesis:
        """What every hypothesis that may still be the result begins with."""
        several = [h for h in (*self.hypotheses, *self.finished) if h]
        tokens = [h.tokens for h in several]
        length = next((i for i, column in enumerate(zip(*tokens, strict=False)) if len(set(column)) > 1), None)
        length = min(map(len, tokens)) if length is None else length
        return Hypothesis(tokens[0][:length], several[0].log_probabilities[:length])

    def step(self, longer: Iterable[Longer], scores: Tensor, allowed: Tensor) -> list[int]:  # noqa: ARG002
        """Go one output on.

        Args:
            longer: the likeliest continuations, best first.
            scores: log-probabilities of the classes, (n, c).
            allowed: scores with those of forbidden classes at -inf, (n, c).

        Returns:
            which of the former hypotheses each of the new ones extends; none at the end.
        """
        return self.advance(longer)

    def advance(self, longer: Iterable[Longer]) -> list[int]:
        """Take the likeliest continuations, best first; the value is that of ``step``."""
        live: list[Hypothesis | None] = []
        parents: list[int] = []
        for parent, token, value in longer:
            former = self.hypotheses[parent]
            if former is None or value == -math.inf:
                break
            hypothesis = former.extended(token, value)
            if self._ends(hypothesis):
                self.finished.append(hypothesis)
            else:
                live.append(hypothesis)
                parents.append(parent)
            if self.goal.beams in (len(live), len(self.finished)):
                break
        if not live or len(self.finished) == self.goal.beams:
            self.hypotheses = [None] * self.goal.beams
            return []
        missing = self.goal.beams - len(live)
        self.hypotheses = live + [None] * missing
        return parents + [0] * missing

    def result(self) -> Decoded:
        """The best finished hypothesis, and the next ones."""
        best, *others = sorted(self.finished, key=lambda hypothesis: -hypothesis.mean)[: self.goal.best]
        return Decoded(list(best.tokens), list(best.log_probabilities), self.candidates, others)

    def _ends(self, hypothesis: Hypothesis) -> bool:
        return hypothesis.tokens[-1] == self.goal.end or len(hypothesis.tokens) == self.goal.steps


class SampledSearch(Search):
    """One hypothesis, whose outputs are drawn."""

    def __init__(self, goal: Goal, sampling: Sampling) -> None:
        super().__init__(goal)
        self._sampler = Sampler(sampling)

    def step(self, longer: Iterable[Longer], scores: Tensor, allowed: Tensor) -> list[int]:  # noqa: ARG002
        """Draw one output."""
        token = self._sampler.draw(allowed[0])
        return self.advance([(0, token, float(scores[0, token]))])


class Drawn(NamedTuple):
    """A hypothesis that is drawn.

    Attributes:
        chance: logarithm of the probability with which it is.
        key: the same with noise; those with the largest keys are drawn.
        parent: which of the former hypotheses it extends.
    """

    hypothesis: Hypothesis = Hypothesis()
    chance: float = 0.0
    key: float = 0.0
    parent: int = 0


class DistinctSearch(SampledSearch):
    """Several hypotheses, drawn without replacement, so that no two are the same; fewer where no more exist.

    This is stochastic beam search (Kool et al. 2019): the texts are those that drawing one after another would give,
    each from what the former ones have left, but they are found side by side. One that has ended stays only as long as
    it is among the largest keys.
    """

    def __init__(self, goal: Goal, sampling: Sampling) -> None:
        super().__init__(goal, sampling)
        self._live, self._ended = [Drawn()], list[Drawn]()

    def step(self, longer: Iterable[Longer], scores: Tensor, allowed: Tensor) -> list[int]:  # noqa: ARG002
        """Draw one output of each text."""
        every = [*self._ended, *self._longer(scores, allowed)]
        kept = heapq.nlargest(self.goal.beams, every, key=lambda drawn: drawn.key)
        self._live = [drawn for drawn in kept if not self._ends(drawn.hypothesis)]
        self._ended = [drawn for drawn in kept if self._ends(drawn.hypothesis)]
        missing = self.goal.beams - len(self._live)
        self.hypotheses = [*(drawn.hypothesis for drawn in self._live), *[None] * missing]
        self.finished = [drawn.hypothesis for drawn in self._ended]
        return [*(drawn.parent for drawn in self._live), *[0] * missing] if self._live else []

    def _longer(self, scores: Tensor, allowed: Tensor) -> Iterator[Drawn]:
        """The continuations of all hypotheses with the largest keys."""
        facts = torch.tensor([(drawn.chance, drawn.key) for drawn in self._live], dtype=torch.double)
        chances, keys = self._sampler.spread(allowed[: len(facts)], *facts.unbind(1))
        largest = keys.flatten().topk(min(self.goal.beams, keys.numel()))
        parents, tokens = largest.indices // keys.shape[1], largest.indices % keys.shape[1]
        values, chances = scores[parents, tokens], chances[parents, tokens]
        columns = (each.tolist() for each in (parents, tokens, values, chances, largest.values))
        for parent, token, value, chance, key in zip(*columns, strict=True):
            if key != -math.inf:
                yield Drawn(self._live[parent].hypothesis.extended(token, value), chance, key, parent)


class GivenSearch(Search):
    """No search: sequences that are given, whose log-probabilities are read off."""

    def __init__(self, goal: Goal) -> None:
        super().__init__(goal)
        self.hypotheses = [Hypothesis() for _ in goal.given]

    @property
    def settled(self) -> Hypothesis:
        """Nothing is, before the end."""
        return Hypothesis()

    def step(self, longer: Iterable[Longer], scores: Tensor, allowed: Tensor) -> list[int]:  # noqa: ARG002
        """Note the log-probability of each sequence's next output."""
        for i, sequence in enumerate(self.goal.given):
            former = self.hypotheses[i]
            assert former is not None
            if (length := len(former.tokens)) < len(sequence):
                self.hypotheses[i] = former.extended(sequence[length], float(scores[i, sequence[length]]))
        over = max(len(h.tokens) for h in self.hypotheses if h) == self.goal.steps
        return [] if over else list(range(len(self.hypotheses)))

    def result(self) -> Decoded:
        """The sequences in the order in which they were given; the first one is in the place of the best."""
        first, *others = (h for h in self.hypotheses if h)
        return Decoded(list(first.tokens), list(first.log_probabilities), self.candidates, others)


class ReadSearch(Search):
    """No search: one step of the decoder, or none, whose states a head turns into values."""

    values: np.ndarray

    def step(self, longer: Iterable[Longer], scores: Tensor, allowed: Tensor) -> list[int]:  # noqa: ARG002
        """End."""
        return []

    def read(self, values: np.ndarray) -> None:
        """Take what the head gave, (values,)."""
        self.values = values

    def result(self) -> Decoded:
        """The values."""
        return Decoded(values=self.values)


def search_for(goal: Goal) -> Search:
    """Return the search for a goal."""
    if goal.reads != "classes":
        return ReadSearch(goal)
    if goal.given:
        return GivenSearch(goal)
    if goal.sampling is None:
        return Search(goal)
    return (SampledSearch if goal.beams == 1 else DistinctSearch)(goal, goal.sampling)


def may_follow(scores: Tensor, searches: Sequence[Search | None]) -> Tensor:
    """Return log-probabilities (b, n, c) with what the rows' rules and grammars forbid at -inf.

    Where a row's rules forbid everything that its grammar lets follow, they do not hold.

    Raises:
        ValueError: a grammar lets nothing follow.
    """
    limited = [(row, search) for row, search in enumerate(searches) if search and _limits(search.goal)]
    if not limited:
        return scores
    allowed = scores.clone()
    for row, search in limited:
        for i, hypothesis in enumerate(search.hypotheses):
            if hypothesis is not None:
                _limit(allowed[row, i], search.goal, hypothesis.tokens)
    return allowed


def _limits(goal: Goal) -> bool:
    return bool(goal.rules) or goal.grammar is not None


def _limit(scores: Tensor, goal: Goal, prefix: Sequence[int]) -> None:
    """Set the scores (c,) of what may not follow a prefix to -inf, in place."""
    forbidden = goal.rules.forbidden(prefix, goal.end)
    following = None if goal.grammar is None else goal.grammar.following(prefix)
    if following is None:
        if 0 < len(forbidden) < len(scores):
            scores[list(forbidden)] = -math.inf
        return
    if not following:
        raise ValueError(f"the grammar of {goal.task} lets nothing follow {list(prefix)}")
    kept = [token for token in following if token not in forbidden] or list(following)
    values = scores[kept]
    scores.fill_(-math.inf)
    scores[kept] = values
