"""Search for the output of one row: beam search, sampling, forced decoding."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from omninet.model.decoding.alignment import PrefixScores, following_all
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.decoding.sampler import Sampler
from omninet.model.decoding.sampling import Sampling

HALF = 0.5
Continuation = tuple[int, int, float]  # index of the hypothesis, next token, log-probability of the token


class Search:
    """Beam search for one row; greedy with one beam.

    Attributes:
        hypotheses: live hypotheses, best first, padded with None to the number of beams.
        finished: finished hypotheses.
        candidates: the likeliest classes of the first step, best first, as (class, log-probability).
        pooled: mean of the spatial cache, (d,), if ``Goal.pooled`` is set.
        alignment: scores of an alignment to the input, if ``Goal.aligned`` is above 0.
    """

    pooled: np.ndarray | None = None
    alignment: PrefixScores | None = None

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self.hypotheses: list[Hypothesis | None] = [Hypothesis(), *[None] * (goal.beams - 1)]
        self.finished: list[Hypothesis] = []
        self.candidates: list[tuple[int, float]] = []

    @property
    def last_tokens(self) -> list[int]:
        """Last token of each hypothesis; 0 if it has none."""
        return [h.tokens[-1] if h and h.tokens else 0 for h in self.hypotheses]

    @property
    def totals(self) -> list[float]:
        """Natural log-probability of each hypothesis; -inf where there is none."""
        return [h.total if h else -math.inf for h in self.hypotheses]

    @property
    def settled(self) -> Hypothesis:
        """Longest common prefix of all hypotheses: the part of the result that cannot change any more."""
        several = [h for h in (*self.hypotheses, *self.finished) if h]
        tokens = [h.tokens for h in several]
        length = next((i for i, column in enumerate(zip(*tokens, strict=False)) if len(set(column)) > 1), None)
        length = min(map(len, tokens)) if length is None else length
        return Hypothesis(tokens[0][:length], several[0].log_probabilities[:length])

    def step(self, longer: Iterable[Continuation], scores: Tensor, allowed: Tensor) -> list[int]:  # noqa: ARG002
        """Advance by one token.

        Args:
            longer: the likeliest continuations, best first.
            scores: log-probabilities of the classes, (n, c).
            allowed: ``scores`` with forbidden classes at -inf, (n, c).

        Returns:
            For each new hypothesis the index of the one that it extends; an empty list if the search has ended.
        """
        return self.advance(longer)

    def advance(self, longer: Iterable[Continuation]) -> list[int]:
        """Keep the best continuations; see ``step`` for the argument and the result."""
        live: list[Hypothesis | None] = []
        parents: list[int] = []
        for parent, token, value in longer:
            previous = self.hypotheses[parent]
            if previous is None or value == -math.inf:
                break
            hypothesis = previous.extended(token, value)
            if self._is_finished(hypothesis):
                self.finished.append(hypothesis)
            else:
                live.append(hypothesis)
                parents.append(parent)
            if self.goal.beams in (len(live), len(self.finished)):
                break
        if not live or len(self.finished) == self.goal.beams:
            self.hypotheses = [None] * self.goal.beams
            return []
        padding = self.goal.beams - len(live)
        self.hypotheses = live + [None] * padding
        return parents + [0] * padding

    def result(self) -> Decoded:
        """Return what was decoded."""
        return replace(self._result(), pooled=self.pooled)

    def _result(self) -> Decoded:
        """Return the finished hypothesis with the best mean log-probability, and the next best ones.

        With an alignment, whose scores do not favour short texts, the sum of the log-probabilities counts.
        """
        rank = attrgetter("total" if self.goal.aligned else "mean")
        best, *others = sorted(self.finished, key=rank, reverse=True)[: self.goal.best]
        return Decoded(list(best.tokens), list(best.log_probabilities), self.candidates, others)

    def _is_finished(self, hypothesis: Hypothesis) -> bool:
        return hypothesis.tokens[-1] == self.goal.end or len(hypothesis.tokens) == self.goal.steps


class MedianSearch(Search):
    """Greedy search that takes the median of classes that have an order, in place of the likeliest one.

    A coordinate's probability is spread over many classes. The median has the least expected error; the likeliest class
    is often at the edge of the picture, where things are cut off.
    """

    def step(self, longer: Iterable[Continuation], scores: Tensor, allowed: Tensor) -> list[int]:
        """Take the median of the allowed classes if they have an order, otherwise the likeliest."""
        (hypothesis,), grammar = self.hypotheses, self.goal.grammar
        assert hypothesis is not None
        assert grammar is not None
        if not grammar.is_ordered(hypothesis.tokens):
            return super().step(longer, scores, allowed)
        classes = list(grammar.following(hypothesis.tokens) or ())
        below = allowed[0, classes].double().softmax(0).cumsum(0)[:-1] < HALF
        token = classes[int(below.sum())]
        return self.advance([(0, token, float(scores[0, token]))])


class SampledSearch(Search):
    """Sampling of one hypothesis."""

    def __init__(self, goal: Goal, sampling: Sampling) -> None:
        super().__init__(goal)
        self._sampler = Sampler(sampling)

    def step(self, longer: Iterable[Continuation], scores: Tensor, allowed: Tensor) -> list[int]:  # noqa: ARG002
        """Sample one token."""
        token = self._sampler.draw(allowed[0])
        return self.advance([(0, token, float(scores[0, token]))])


class SampledHypothesis(NamedTuple):
    """A hypothesis of stochastic beam search.

    Attributes:
        log_probability: log-probability of sampling it, phi in Kool et al. 2019.
        perturbed: Gumbel-perturbed log-probability, G in Kool et al. 2019; the largest are kept.
        parent: index of the hypothesis that it extends.
    """

    hypothesis: Hypothesis = Hypothesis()
    log_probability: float = 0.0
    perturbed: float = 0.0
    parent: int = 0


class DistinctSearch(SampledSearch):
    """Sampling of several distinct hypotheses without replacement; fewer if no more exist.

    This is stochastic beam search (Kool et al. 2019): the hypotheses are distributed as if sampled one after another
    without replacement, but are decoded in parallel. A finished hypothesis is dropped as soon as its perturbed
    log-probability is no longer among the ``beams`` largest.
    """

    def __init__(self, goal: Goal, sampling: Sampling) -> None:
        super().__init__(goal, sampling)
        self._live, self._ended = [SampledHypothesis()], list[SampledHypothesis]()

    def step(self, longer: Iterable[Continuation], scores: Tensor, allowed: Tensor) -> list[int]:  # noqa: ARG002
        """Sample one token of each hypothesis."""
        every = [*self._ended, *self._continuations(scores, allowed)]
        kept = heapq.nlargest(self.goal.beams, every, key=lambda drawn: drawn.perturbed)
        self._live = [drawn for drawn in kept if not self._is_finished(drawn.hypothesis)]
        self._ended = [drawn for drawn in kept if self._is_finished(drawn.hypothesis)]
        padding = self.goal.beams - len(self._live)
        self.hypotheses = [*(drawn.hypothesis for drawn in self._live), *[None] * padding]
        self.finished = [drawn.hypothesis for drawn in self._ended]
        return [*(drawn.parent for drawn in self._live), *[0] * padding] if self._live else []

    def _continuations(self, scores: Tensor, allowed: Tensor) -> Iterator[SampledHypothesis]:
        """Yield the continuations with the largest perturbed log-probabilities."""
        state = torch.tensor([(drawn.log_probability, drawn.perturbed) for drawn in self._live], dtype=torch.double)
        log_probabilities, perturbed = self._sampler.perturb(allowed[: len(state)], *state.unbind(1))
        largest = perturbed.flatten().topk(min(self.goal.beams, perturbed.numel()))
        parents, tokens = largest.indices // perturbed.shape[1], largest.indices % perturbed.shape[1]
        values, log_probabilities = scores[parents, tokens], log_probabilities[parents, tokens]
        columns = (each.tolist() for each in (parents, tokens, values, log_probabilities, largest.values))
        for parent, token, value, log_probability, noisy in zip(*columns, strict=True):
            if noisy != -math.inf:
                yield SampledHypothesis(
                    self._live[parent].hypothesis.extended(token, value), log_probability, noisy, parent
                )


class ForcedSearch(Search):
    """Forced decoding: records the log-probabilities of the sequences in ``Goal.given``."""

    def __init__(self, goal: Goal) -> None:
        super().__init__(goal)
        self.hypotheses = [Hypothesis() for _ in goal.given]

    @property
    def settled(self) -> Hypothesis:
        """Always empty: sequences to score have no common prefix to stream."""
        return Hypothesis()

    def step(self, longer: Iterable[Continuation], scores: Tensor, allowed: Tensor) -> list[int]:  # noqa: ARG002
        """Record the log-probability of the next token of each sequence."""
        for i, sequence in enumerate(self.goal.given):
            previous = self.hypotheses[i]
            assert previous is not None
            if (length := len(previous.tokens)) < len(sequence):
                self.hypotheses[i] = previous.extended(sequence[length], float(scores[i, sequence[length]]))
        over = max(len(h.tokens) for h in self.hypotheses if h) == self.goal.steps
        return [] if over else list(range(len(self.hypotheses)))

    def _result(self) -> Decoded:
        """Return the sequences in their given order: the first as the result, the rest as ``others``."""
        first, *others = (h for h in self.hypotheses if h)
        return Decoded(list(first.tokens), list(first.log_probabilities), self.candidates, others)


class ValueSearch(Search):
    """Holds the values that a head computes from hidden states; nothing is searched."""

    values: np.ndarray

    def step(self, longer: Iterable[Continuation], scores: Tensor, allowed: Tensor) -> list[int]:  # noqa: ARG002
        """End the search after one step."""
        return []

    def read(self, values: np.ndarray) -> None:
        """Store the output of the head, (values,)."""
        self.values = values

    def _result(self) -> Decoded:
        """Return the values."""
        return Decoded(values=self.values)


def search_for(goal: Goal) -> Search:
    """Create the search that a goal asks for."""
    if goal.reads != "classes":
        return ValueSearch(goal)
    if goal.given:
        return ForcedSearch(goal)
    if goal.sampling is None:
        return MedianSearch(goal) if goal.medians else Search(goal)
    return (SampledSearch if goal.beams == 1 else DistinctSearch)(goal, goal.sampling)


def mask_forbidden(scores: Tensor, searches: Sequence[Search | None]) -> Tensor:
    """Set the classes that the rules and grammars of the rows forbid to -inf.

    Rules that would forbid every class that the grammar allows are ignored.

    Args:
        scores: log-probabilities, (b, n, c); not changed.

    Returns:
        Masked log-probabilities, (b, n, c).

    Raises:
        ValueError: a grammar allows no class after a prefix.
    """
    constrained = [(row, search) for row, search in enumerate(searches) if search and _has_constraints(search.goal)]
    if not constrained:
        return scores
    allowed = scores.clone()
    for row, search in constrained:
        for i, hypothesis in enumerate(search.hypotheses):
            if hypothesis is not None:
                _mask_forbidden_row(allowed[row, i], search.goal, hypothesis.tokens)
    return allowed


def add_alignments(scores: Tensor, searches: Sequence[Search | None]) -> Tensor:
    """Add the scores of the alignments of the rows (``Goal.aligned``) to those of the decoder.

    Args:
        scores: log-probabilities, (b, n, c); not changed.

    Returns:
        Weighted means of both log-probabilities, (b, n, c).
    """
    aligned = [(row, search, search.alignment) for row, search in enumerate(searches) if search and search.alignment]
    if not aligned:
        return scores
    live = [
        (row, i, search.goal.aligned, alignment, hypothesis.tokens)
        for row, search, alignment in aligned
        for i, hypothesis in enumerate(search.hypotheses)
        if hypothesis is not None
    ]
    rows, places, shares, alignments, prefixes = zip(*live, strict=True)
    added = torch.from_numpy(following_all(list(zip(alignments, prefixes, strict=True)))).to(scores)
    share = scores.new_tensor(shares)[:, None]
    mixed = scores.clone()
    mixed[rows, places] = (1 - share) * scores[rows, places] + share * added
    return mixed


def _has_constraints(goal: Goal) -> bool:
    return bool(goal.rules) or goal.grammar is not None


def _mask_forbidden_row(scores: Tensor, goal: Goal, prefix: Sequence[int]) -> None:
    """Set the scores (c,) of classes that may not follow a prefix to -inf, in place."""
    forbidden = goal.rules.forbidden(prefix, goal.end)
    following = None if goal.grammar is None else goal.grammar.following(prefix)
    if following is None:
        if 0 < len(forbidden) < len(scores):
            scores[list(forbidden)] = -math.inf
        return
    if not following:
        raise ValueError(f"the grammar of task {goal.task} allows no class after {list(prefix)}")
    kept = [token for token in following if token not in forbidden] or list(following)
    values = scores[kept]
    scores.fill_(-math.inf)
    scores[kept] = values
