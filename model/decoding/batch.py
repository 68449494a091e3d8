"""Continuous batching: rows of any tasks are decoded together and join or leave between steps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor, nn

from omninet.model.decoding.alignment import PrefixScores
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.decoding.search import (
    Continuation,
    Search,
    ValueSearch,
    add_alignments,
    mask_forbidden,
    search_for,
)
from omninet.model.network.cnp import CNP, group
from omninet.model.network.cohort import Cohort
from omninet.model.network.memory import Memory

CANDIDATES = 5


Places = list[Search | None]  # search of the row in each place of a cohort; None if the place is free


class RunningBatch:
    """A batch of rows of any tasks: each step advances all rows by one token; rows join and leave between steps.

    Rows with the same task, number of hypotheses and spatial cache length form a cohort. All cohorts share each run of
    the decoder.

    Args:
        heads: task -> its output head; needed for tasks without a vocabulary, and for goals with an alignment.
    """

    def __init__(self, cnp: CNP, heads: nn.ModuleDict | None = None) -> None:
        self._cnp, self._heads = cnp, heads if heads is not None else nn.ModuleDict()
        self._groups: dict[tuple[str, int, int], tuple[Cohort, Places]] = {}
        self._settled: list[Search] = []  # searches of rows that need no decoder; the next step returns them

    def __len__(self) -> int:
        return sum(self.tasks().values())

    def tasks(self) -> Counter[str]:
        """Return the number of rows of each task."""
        rows: Counter[str] = Counter()
        for cohort, places in self._groups.values():
            rows[cohort.task] += sum(search is not None for search in places)
        rows.update(search.goal.task for search in self._settled)
        return rows

    def admit(self, memory: Memory, goals: Sequence[Goal]) -> list[Search]:
        """Add the rows of ``memory``; return the search of each row."""
        searches = [search_for(goal) for goal in goals]
        for (task, width), rows in group((goal.task, goal.width) for goal in goals).items():
            cohort = self._cnp.start(memory if len(rows) == len(goals) else memory.select(rows), task, width)
            self._join(cohort, [searches[i] for i in rows])
        if any(goal.pooled for goal in goals):
            for search, pooled in zip(searches, memory.pooled().float().cpu().numpy(), strict=True):
                search.pooled = pooled if search.goal.pooled else None
        for task in {goal.task for goal in goals if goal.aligned}:
            self._align(memory, task, searches)
        return searches

    def _align(self, memory: Memory, task: str, searches: Sequence[Search]) -> None:
        """Give each search of a task the alignments of its row of ``memory``."""
        steps = self._heads[task].alignment(memory.temporal).float().cpu().numpy()  # type: ignore[operator]
        for search, row, length in zip(searches, steps, memory.temporal_mask.sum(1).tolist(), strict=True):
            if search.goal.task == task and search.goal.end is not None:
                search.alignment = PrefixScores(row[:length], search.goal.end)

    def settle(self, goals: Sequence[Goal], values: Tensor) -> list[Search]:
        """Add rows that read the encoder only, with the values (b, values) of their head; return their searches."""
        searches = []
        for goal, row in zip(goals, values.float().cpu().numpy(), strict=True):
            search = ValueSearch(goal)
            search.read(row)
            searches.append(search)
        self._settled += searches
        return [*searches]

    def step(self) -> list[Search]:
        """Advance every row by one token; remove the rows that have ended and return their searches."""
        settled, self._settled = self._settled, []
        return settled + self._step() if self._groups else settled

    def _step(self) -> list[Search]:
        groups = list(self._groups.values())
        device = groups[0][0].masks.frame.device
        tokens = [
            torch.tensor([search.last_tokens if search else [0] * cohort.n for search in places], device=device)
            for cohort, places in groups
        ]
        scores = self._cnp.step([cohort for cohort, _ in groups], tokens)
        return [
            ended
            for (cohort, places), found in zip(groups, scores, strict=True)
            for ended in self._advance(cohort, places, found)
        ]

    def drop(self, unwanted: Collection[Search]) -> None:
        """Remove rows before they have ended."""
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
        parents: dict[int, list[int]] = {}
        scores = add_alignments(scores, places)
        allowed = mask_forbidden(scores, places)
        starting = [i for i, position in enumerate(cohort.positions) if position == 1]
        for i, candidates in zip(starting, _candidates(allowed[starting, 0]), strict=True):
            _at(places, i).candidates = candidates
        for i, longer in enumerate(_continuations(places, allowed)):
            if (search := places[i]) is not None:
                parents[i] = search.step(longer, scores[i], allowed[i])
        if cohort.n > 1:
            stay = [0] * cohort.n
            cohort.reorder(torch.tensor([parents.get(i) or stay for i in range(cohort.b)], device=scores.device))
        return self._end(cohort, places, [i for i, mine in parents.items() if not mine])

    def _read(self, cohort: Cohort, places: Places, hidden: Tensor) -> None:
        """Compute the values of each row from its hidden state, (b, 1, d)."""
        values = self._heads[cohort.task].values(hidden, None, "hidden").float().cpu().numpy()  # type: ignore[operator]
        for search, row in zip(places, values, strict=True):
            if isinstance(search, ValueSearch):
                search.read(row)

    def _end(self, cohort: Cohort, places: Places, over: Sequence[int]) -> list[Search]:
        """Remove rows that have ended; return their searches."""
        ended = [_at(places, i) for i in over]
        self._leave(cohort, places, over)
        return ended

    def _leave(self, cohort: Cohort, places: Places, leaving: Sequence[int]) -> None:
        """Free the places of rows; if at least half of all places are free, compact the cohort."""
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
    """Decode every row of ``memory`` according to its goal."""
    running = RunningBatch(cnp)
    searches = running.admit(memory, goals)
    while running:
        running.step()
    return [search.result() for search in searches]


def _candidates(scores: Tensor) -> list[list[tuple[int, float]]]:
    """Return the likeliest allowed classes of each row, best first, as (class, log-probability); scores (b, c)."""
    values, ids = scores.topk(min(CANDIDATES, scores.shape[1]))
    rows = (zip(*row, strict=True) for row in zip(ids.tolist(), values.tolist(), strict=True))
    return [[(token, value) for token, value in row if value != -math.inf] for row in rows]


def _continuations(places: Places, scores: Tensor) -> Iterator[Iterator[Continuation]]:
    """Yield, for each place, the likeliest continuations of its hypotheses, best first.

    Twice as many as there are beams: if half of them end with the end token, enough remain to fill the beam.

    Args:
        scores: log-probabilities of the next tokens, (b, n, c).
    """
    _, n, classes = scores.shape
    if n == 1:  # greedy: without totals, whose rounding could turn close scores into ties
        values, tokens = scores.max(-1)
        parents = torch.zeros_like(tokens)
    else:
        # The best 2 n continuations of a row are among the best 2 n of each hypothesis.
        values, tokens = (x.flatten(1) for x in scores.topk(min(2 * n, classes)))
        none = [-math.inf] * n
        totals = [search.totals if search else none for search in places]
        of_hypotheses = torch.tensor(totals, dtype=torch.double, device=scores.device)
        each = values.shape[1] // n
        best = (values.double() + of_hypotheses.repeat_interleave(each, 1)).topk(min(2 * n, values.shape[1])).indices
        values, tokens, parents = values.gather(1, best), tokens.gather(1, best), best // each
    for row in zip(parents.tolist(), tokens.tolist(), values.tolist(), strict=True):
        yield zip(*row, strict=True)
