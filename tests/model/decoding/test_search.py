"""Search for the output of one row, step by step."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest
import torch

from omninet.model.decoding.batch import decode
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.grammar import Grammar
from omninet.model.decoding.search import MedianSearch, Search, search_for
from omninet.model.network.cnp import CNP
from tests.model.networks import IMAGE, Row, small_cnp


@pytest.fixture(scope="module")
def cnp() -> CNP:
    return small_cnp().requires_grad_(False)


def test_the_next_best_hypotheses(cnp: CNP) -> None:
    memory = Row((IMAGE,)).encode(cnp)
    goals = [Goal("caption", 5, end=3, beams=4, best=best) for best in (1, 3)]

    (one,), (three,) = (decode(cnp, memory, [goal]) for goal in goals)

    assert not one.others
    assert three.tokens == one.tokens
    means = [sum(three.log_probabilities) / len(three.tokens), *(other.mean for other in three.others)]
    assert len(means) == 3
    assert means == sorted(means, reverse=True)
    assert len({tuple(three.tokens), *(other.tokens for other in three.others)}) == 3


def test_the_settled_prefix() -> None:
    search = Search(Goal("caption", 9, end=0, beams=2))
    seen = [search.settled.tokens]
    search.advance([(0, 7, -0.1), (0, 8, -0.2)])
    seen.append(search.settled.tokens)
    search.advance([(0, 5, -0.1), (0, 6, -0.2), (1, 5, -0.3)])
    seen.append(search.settled.tokens)
    search.advance([(0, 0, -0.1), (1, 4, -0.2), (0, 4, -0.3)])
    seen.append(search.settled.tokens)

    assert seen == [(), (), (7,), (7,)]
    assert search.settled.log_probabilities == (-0.1,)


def test_all_of_a_greedy_search_is_settled() -> None:
    search = Search(Goal("caption", 9, end=0))
    search.advance([(0, 7, -0.1)])
    search.advance([(0, 0, -0.2)])

    assert search.settled.tokens == (7, 0)


class Numbers(Grammar):
    """Anything, then ordered classes from 1 on, then anything."""

    def following(self, prefix: Sequence[int]) -> Collection[int]:
        """Return the classes that may follow a prefix."""
        return range(1, 5) if len(prefix) == 1 else range(5)

    def is_ordered(self, prefix: Sequence[int]) -> bool:
        """Return whether the second class follows."""
        return len(prefix) == 1


def test_ordered_classes_are_decoded_by_their_median() -> None:
    """The likeliest class is 4; of the allowed ones half of the probability lies at 2 or below."""
    search = search_for(Goal("ground", 3, grammar=Numbers(), medians=True))
    assert isinstance(search, MedianSearch)
    scores = torch.tensor([[0.2, 0.25, 0.18, 0.07, 0.3]]).log()
    allowed = scores.clone()
    allowed[0, 0] = -torch.inf

    for _ in range(3):
        parents = search.step([(0, 4, float(scores[0, 4]))], scores, allowed)

    assert parents == []
    assert search.result().tokens == [4, 2, 4]
    assert search.result().log_probabilities[1] == pytest.approx(float(scores[0, 2]))
    assert type(search_for(Goal("ground", 3, grammar=Numbers()))) is Search
