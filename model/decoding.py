"""Decoding a batch whose rows may be of different tasks, greedily or with a beam."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.cnp import CNP, group
from model.cohort import Cohort
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
        encode_ms, decode_ms: what it took, as far as somebody has measured it.
        batch_rows: that were decoded with it, itself among them, when it began.
    """

    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    candidates: list[tuple[int, float]] = field(default_factory=list)
    encode_ms: float = 0.0
    decode_ms: float = 0.0
    batch_rows: int = 1


@dataclass(frozen=True)
class Hypothesis:
    """Tokens so far, and the natural logarithm of each one's probability."""

    tokens: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()

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
    """The search for one row's outputs.

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

    def advance(self, longer: Iterable[tuple[int, int, float]]) -> list[int]:
        """Go one output on.

        Args:
            longer: the likeliest continuations as (hypothesis, token, log-probability), best first.

        Returns:
            which of the former hypotheses each of the new ones extends; none at the end.
        """
        live: list[Hypothesis | None] = []
        parents: list[int] = []
        for parent, token, value in longer:
            former = self.hypotheses[parent]
            if former is None:
                break
            hypothesis = former.extended(token, value)
            if token == self.goal.end or len(hypothesis.tokens) == self.goal.steps:
                self.finished.append(hypothesis)
            else:
                live.append(hypothesis)
                parents.append(parent)
            if self.goal.beams in (len(live), len(self.finished)):
                break
        if not live or len(self.finished) == self.goal.beams:
            return []
        missing = self.goal.beams - len(live)
        self.hypotheses = live + [None] * missing
        return parents + [0] * missing

    def result(self) -> Decoded:
        """The best finished hypothesis."""
        best = max(self.finished, key=lambda hypothesis: hypothesis.mean)
        return Decoded(list(best.tokens), list(best.log_probabilities), self.candidates)


Places = list[Search | None]  # of a cohort; None where one is free


class RunningBatch:
    """Rows of any tasks that decode together: every step advances all of them, and rows join and leave between steps.

    Rows of one kind (task, beams, size of the spatial cache) are a cohort; all cohorts share each run of the decoder.
    """

    def __init__(self, cnp: CNP) -> None:
        self._cnp = cnp
        self._groups: dict[tuple[str, int, int], tuple[Cohort, Places]] = {}

    def __len__(self) -> int:
        return sum(self.tasks().values())

    def tasks(self) -> Counter[str]:
        """Rows of each task."""
        rows: Counter[str] = Counter()
        for cohort, places in self._groups.values():
            rows[cohort.task] += sum(search is not None for search in places)
        return rows

    def admit(self, memory: Memory, goals: Sequence[Goal]) -> list[Search]:
        """Let the rows of ``memory`` join; the search of each."""
        searches = [Search(goal) for goal in goals]
        for (task, beams), rows in group((goal.task, goal.beams) for goal in goals).items():
            cohort = self._cnp.start(memory if len(rows) == len(goals) else memory.select(rows), task, beams)
            self._join(cohort, [searches[i] for i in rows])
        return searches

    def step(self) -> list[Search]:
        """Advance every row by one output; the searches that have ended, whose rows have left."""
        groups = list(self._groups.values())
        device = groups[0][0].masks.frame.device
        tokens = [
            torch.tensor([search.last if search else [0] * cohort.n for search in places], device=device)
            for cohort, places in groups
        ]
        scores = self._cnp.step([cohort for cohort, _ in groups], tokens)
        return [
            ended
            for (cohort, places), found in zip(groups, scores, strict=True)
            for ended in self._advance(cohort, places, found)
        ]

    def drop(self, unwanted: Collection[Search]) -> None:
        """Let rows leave before their end."""
        for cohort, places in list(self._groups.values()):
            self._leave(cohort, places, [i for i, search in enumerate(places) if search in unwanted])

    def _join(self, cohort: Cohort, searches: Sequence[Search]) -> None:
        running, places = self._groups.setdefault(cohort.kind, (cohort, [None] * cohort.b))
        taken = range(cohort.b) if running is cohort else running.join(cohort)
        places += [None] * (running.b - len(places))
        for place, search in zip(taken, searches, strict=True):
            places[place] = search

    def _advance(self, cohort: Cohort, places: Places, scores: Tensor) -> list[Search]:
        starting = [i for i, position in enumerate(cohort.positions) if position == 1]
        for i, candidates in zip(starting, _candidates(scores[starting, 0]), strict=True):
            _at(places, i).candidates = candidates
        parents: dict[int, list[int]] = {}
        for i, longer in enumerate(_continuations(places, scores)):
            if search := places[i]:
                parents[i] = search.advance(longer)
        if cohort.n > 1:
            stay = [0] * cohort.n
            cohort.follow(torch.tensor([parents.get(i) or stay for i in range(cohort.b)], device=scores.device))
        over = [i for i, mine in parents.items() if not mine]
        ended = [_at(places, i) for i in over]
        self._leave(cohort, places, over)
        return ended

    def _leave(self, cohort: Cohort, places: Places, leaving: Sequence[int]) -> None:
        """Free places; where most are free, move together."""
        for place in leaving:
            places[place] = None
        cohort.leave(leaving)
        kept = [i for i, search in enumerate(places) if search]
        if not kept:
            del self._groups[cohort.kind]
        elif 2 * len(kept) <= len(places):
            cohort.select(kept)
            places[:] = [places[i] for i in kept]


def _at(places: Places, place: int) -> Search:
    search = places[place]
    assert search is not None
    return search


def decode(cnp: CNP, memory: Memory, goals: Sequence[Goal]) -> list[Decoded]:
    """Decode every row of ``memory`` to its goal."""
    running = RunningBatch(cnp)
    searches = running.admit(memory, goals)
    while running:
        running.step()
    return [search.result() for search in searches]


def _candidates(scores: Tensor) -> list[list[tuple[int, float]]]:
    """The likeliest classes of each row, best first, with their logarithms; scores (b, c)."""
    values, ids = scores.topk(min(CANDIDATES, scores.shape[1]))
    return [list(zip(*row, strict=True)) for row in zip(ids.tolist(), values.tolist(), strict=True)]


def _continuations(places: Places, scores: Tensor) -> Iterator[Iterator[tuple[int, int, float]]]:
    """For each place the likeliest continuations as (hypothesis, token, log-probability), best first.

    Twice as many as there are beams: if half of them end, the others go on.

    Args:
        scores: log-probabilities of the next outputs, (b, n, c).
    """
    _, n, classes = scores.shape
    if n == 1:  # ties included, the likeliest class: a total would round them together
        values, tokens = scores.max(-1)
        parents = torch.zeros_like(tokens)
    else:
        # What is best of all is among the best of its own hypothesis.
        values, tokens = (x.flatten(1) for x in scores.topk(min(2 * n, classes)))
        none = [-math.inf] * n
        totals = [search.totals if search else none for search in places]
        of_hypotheses = torch.tensor(totals, dtype=torch.double, device=scores.device)
        each = values.shape[1] // n
        best = (values.double() + of_hypotheses.repeat_interleave(each, 1)).topk(min(2 * n, values.shape[1])).indices
        values, tokens, parents = values.gather(1, best), tokens.gather(1, best), best // each
    for row in zip(parents.tolist(), tokens.tolist(), values.tolist(), strict=True):
        yield zip(*row, strict=True)
