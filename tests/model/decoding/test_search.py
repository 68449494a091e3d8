"""Search for the output of one row, step by step."""

from __future__ import annotations

import pytest

from omninet.model.decoding.batch import decode
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.search import Search
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
