"""The running batch: rows of any tasks, advanced together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor, nn

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.decoding.search import Longer, ReadSearch, Search, may_follow, search_for
from omninet.model.network.cnp import CNP, group
from omninet.model.network.cohort import Cohort
from omninet.model.network.memory import Memory

CANDIDATES = 5


Places = list[Search | None]  # of a cohort; None where one is free


class RunningBatch:
    """Rows of any tasks that decode together: every step advances all of them, and rows join and leave between steps.

    Rows of one kind (task, beams, size of the spatial cache) are a cohort; all cohorts share each run of the decoder.

    Args:
        heads: task -> what turns the decoder's hidden state into values, for tasks that read it.
    """

    def __init__(self, cnp: CNP, heads: nn.ModuleDict | None = None) -> None:
        self._cnp, self._heads = cnp, heads if heads is not None else nn.ModuleDict()
        self._groups: dict[tuple[str, int, int], tuple[Cohort, Places]] = {}
        self._settled: list[Search] = []  # rows that needed no decoder; they end with the next step

    def __len__(self) -> int:
        return sum(self.tasks().values())

    def tasks(self) -> Counter[str]:
        """Rows of each task."""
        rows: Counter[str] = Counter()
        for cohort, places in self._groups.values():
            rows[cohort.task] += sum(search is not None for search in places)
        rows.update(search.goal.task for search in self._settled)
        return rows

    def admit(self, memory: Memory, goals: Sequence[Goal]) -> list[Search]:
        """Let the rows of ``memory`` join; the search of each."""
        searches = [search_for(goal) for goal in goals]
        for (task, width), rows in group((goal.task, goal.width) for goal in goals).items():
            cohort = self._cnp.start(memory if len(rows) == len(goals) else memory.select(rows), task, width)
            self._join(cohort, [searches[i] for i in rows])
        return searches

    def settle(self, goals: Sequence[Goal], values: Tensor) -> list[Search]:
        """Let rows join whose values (b, values) are known already, since they read the encoder alone."""
        searches = []
        for goal, row in zip(goals, values.float().cpu().numpy(), strict=True):
            search = ReadSearch(goal)
            search.read(row)
            searches.append(search)
        self._settled += searches
        return [*searches]

    def step(self) -> list[Search]:
        """Advance every row by one output; return the searches that have ended, whose rows have left."""
        settled, self._settled = self._settled, []
        return settled + self._step() if self._groups else settled

    def _step(self) -> list[Search]:
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
        self._settled = [search for search in self._settled if search not in unwanted]
        for cohort, places in list(self._groups.values()):
            self._leave(cohort, places, [i for i, search in enumerate(places) if search in unwanted])

    def _join(self, cohort: Cohort, searches: Sequence[Search]) -> None:
        running, places = self._groups.setdefault(cohort.kind, (cohort, [None] * cohort.b))
        taken = range(cohort.b) if running is cohort else running.join(cohort)
        places += [None] * (running.b - len(places))
        for place, search in zip(taken, searches, strict=True):
            places[place] = search

    def _advance(self, cohort: Cohort, places: Places, scores: Tensor) -> list[Search]:
        if not self._cnp.tasks[cohort.task]:
            self._read(cohort, places, scores)
            return self._end(cohort, places, [i for i, search in enumerate(places) if search])
        starting = [i for i, position in enumerate(cohort.positions) if position == 1]
        for i, candidates in zip(starting, _candidates(scores[starting, 0]), strict=True):
            _at(places, i).candidates = candidates
        parents: dict[int, list[int]] = {}
        allowed = may_follow(scores, places)
        for i, longer in enumerate(_continuations(places, allowed)):
            if (search := places[i]) is not None:
                parents[i] = search.step(longer, scores[i], allowed[i])
        if cohort.n > 1:
            stay = [0] * cohort.n
            cohort.reorder(torch.tensor([parents.get(i) or stay for i in range(cohort.b)], device=scores.device))
        return self._end(cohort, places, [i for i, mine in parents.items() if not mine])

    def _read(self, cohort: Cohort, places: Places, hidden: Tensor) -> None:
        """Turn hidden states (b, 1, d) into each row's values."""
        values = self._heads[cohort.task].values(hidden, None, "hidden").float().cpu().numpy()  # type: ignore[operator]
        for search, row in zip(places, values, strict=True):
            if isinstance(search, ReadSearch):
                search.read(row)

    def _end(self, cohort: Cohort, places: Places, over: Sequence[int]) -> list[Search]:
        """Let rows leave; their searches."""
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


def _continuations(places: Places, scores: Tensor) -> Iterator[Iterator[Longer]]:
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
