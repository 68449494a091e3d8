"""Decoding a batch whose rows may be of different tasks, greedily or with a beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor

from model.cnp import CNP
from model.memory import Memory

CANDIDATES = 5
MAX_BEAMS = 16


@dataclass(frozen=True)
class Goal:
    """What one row is to decode.

    Attributes:
        steps: outputs at most.
        end: token that ends the row, or None where ``steps`` is exact.
        beams: hypotheses kept at every step; 1 is greedy.
    """

    task: str
    steps: int
    end: int | None = None
    beams: int = 1


@dataclass
class Decoded:
    """What one row has decoded.

    Attributes:
        tokens: class ids, the end token included.
        log_probabilities: natural logarithm, one for each token.
        candidates: the likeliest classes of the first step, best first, with their logarithms.
    """

    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    candidates: list[tuple[int, float]] = field(default_factory=list)
    encode_ms: float = 0.0
    decode_ms: float = 0.0


@dataclass(frozen=True)
class Hypothesis:
    """Tokens so far, and the natural logarithm of each one's probability."""

    tokens: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()

    @property
    def last(self) -> int | None:
        """The token that the next one follows."""
        return self.tokens[-1] if self.tokens else None

    @property
    def total(self) -> float:
        """Logarithm of the probability of all tokens."""
        return sum(self.log_probabilities)

    @property
    def mean(self) -> float:
        """The same for a token: a longer text is not less likely for its length alone."""
        return self.total / len(self.tokens)

    def extended(self, token: int, log_probability: float) -> Hypothesis:
        """One token longer."""
        return Hypothesis((*self.tokens, token), (*self.log_probabilities, log_probability))


class Search:
    """The search for one row's outputs; each live hypothesis is a row of the running batch."""

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self.live = [Hypothesis()]
        self.finished: list[Hypothesis] = []
        self.candidates: list[tuple[int, float]] = []

    def advance(self, scores: Tensor) -> list[int]:
        """Go one output on.

        Args:
            scores: log-probabilities of the next output after each live hypothesis, (w, c).

        Returns:
            which of the former live hypotheses each of the new ones extends; none at the end.
        """
        if not self.live[0].tokens:
            self._note_candidates(scores[0])
        former, self.live = self.live, []
        parents = []
        for parent, token, value in self._best(former, scores):
            longer = former[parent].extended(token, value)
            if token == self.goal.end or len(longer.tokens) == self.goal.steps:
                self.finished.append(longer)
            else:
                self.live.append(longer)
                parents.append(parent)
            if len(parents) == self.goal.beams:
                break
            if len(self.finished) == self.goal.beams:
                self.live, parents = [], []
                break
        return parents

    def result(self) -> Decoded:
        """The best finished hypothesis."""
        best = max(self.finished, key=lambda hypothesis: hypothesis.mean)
        return Decoded(list(best.tokens), list(best.log_probabilities), self.candidates)

    def _note_candidates(self, scores: Tensor) -> None:
        values, ids = scores.topk(min(CANDIDATES, len(scores)))
        self.candidates = list(zip(ids.tolist(), values.tolist(), strict=True))

    def _best(self, former: Sequence[Hypothesis], scores: Tensor) -> list[tuple[int, int, float]]:
        """The likeliest continuations as (parent, token, log-probability), best first.

        Twice as many as there are beams: if half of them end, the others go on.
        """
        if self.goal.beams == 1:  # ties included, the likeliest class: a total would round them together
            best = scores[0].max(0)
            return [(0, int(best.indices), float(best.values))]
        totals = scores.double() + scores.new_tensor([h.total for h in former], dtype=torch.double)[:, None]
        ids = totals.flatten().topk(min(2 * self.goal.beams, totals.numel())).indices
        values = scores.flatten()[ids].tolist()
        classes = scores.shape[1]
        return [(i // classes, i % classes, value) for i, value in zip(ids.tolist(), values, strict=True)]


def decode(cnp: CNP, memory: Memory, goals: Sequence[Goal]) -> list[Decoded]:
    """Decode every row of ``memory`` to its goal; a row leaves the batch when its goal is reached."""
    searches = [Search(goal) for goal in goals]
    owners = list(range(len(goals)))
    state = cnp.start(memory, [goal.task for goal in goals], max(goal.steps for goal in goals))
    while owners:
        running = [(owner, len(list(rows))) for owner, rows in groupby(owners)]
        scores = cnp.step(state, [h.last for owner, _ in running for h in searches[owner].live])
        kept: list[int] = []
        following: list[int] = []
        start = 0
        for owner, count in running:
            parents = searches[owner].advance(torch.stack(scores[start : start + count]))
            kept += [start + parent for parent in parents]
            following += [owner] * len(parents)
            start += count
        if following == owners:
            state.reorder(kept)
        elif following:
            state.select(kept)
        owners = following
    return [search.result() for search in searches]
