"""Outputs that are drawn."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from model.cnp import CNP
from model.decoding import Goal, RunningBatch, Sampling, decode
from model.decoding.sampling import Sampler
from tests.model.networks import IMAGE, TEXT, VIDEO, Row, small_cnp

SCORES = torch.tensor([0.5, 0.1, 0.3, 0.1]).log()


@pytest.fixture(scope="module")
def cnp() -> CNP:
    return small_cnp().requires_grad_(False)


def shares(sampling: Sampling, scores: torch.Tensor = SCORES, draws: int = 4000) -> list[float]:
    sampler = Sampler(sampling)
    found = Counter(sampler.draw(scores) for _ in range(draws))
    return [found[i] / draws for i in range(len(scores))]


def test_classes_are_drawn_by_their_probability() -> None:
    assert shares(Sampling()) == pytest.approx([0.5, 0.1, 0.3, 0.1], abs=0.03)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_temperature(temperature: float) -> None:
    expected = torch.softmax(SCORES / temperature, -1).tolist()

    assert shares(Sampling(temperature)) == pytest.approx(expected, abs=0.03)


def test_next_to_no_temperature_is_greedy() -> None:
    assert shares(Sampling(0.01), draws=100) == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("top_p", "expected"), [(0.01, [1, 0, 0, 0]), (0.5, [1, 0, 0, 0]), (0.6, [0.625, 0, 0.375, 0])]
)
def test_top_p(top_p: float, expected: list[float]) -> None:
    assert shares(Sampling(top_p=top_p)) == pytest.approx(expected, abs=0.03)


def test_what_is_forbidden_is_never_drawn() -> None:
    scores = SCORES.clone()
    scores[0] = -math.inf

    assert shares(Sampling(5.0), scores)[0] == 0


def test_a_seed_draws_the_same_whatever_is_beside_it(cnp: CNP) -> None:
    goal = Goal("caption", 8, beams=3, best=3, sampling=Sampling(2.0, seed=5))
    memory = Row((IMAGE,)).encode(cnp)
    (alone,) = decode(cnp, memory, [goal])
    running = RunningBatch(cnp)
    running.admit(Row((VIDEO,)).encode(cnp), [Goal("caption", 8, sampling=Sampling(seed=1))])
    running.step()
    (search,) = running.admit(memory, [goal])
    running.admit(Row((TEXT,), "pos").encode(cnp), [Goal("pos", 3)])
    while running:
        running.step()

    found = search.result()
    assert found.tokens == alone.tokens
    assert [other.tokens for other in found.others] == [other.tokens for other in alone.others]
    assert len({tuple(found.tokens), *(other.tokens for other in found.others)}) == 3


def test_seeds_draw_apart(cnp: CNP) -> None:
    memory = Row((IMAGE,)).encode(cnp)
    goals = [Goal("caption", 8, sampling=Sampling(3.0, seed=seed)) for seed in range(5)]

    assert len({tuple(decode(cnp, memory, [goal])[0].tokens) for goal in goals}) == 5


def test_probabilities_are_those_of_the_network(cnp: CNP) -> None:
    memory = Row((IMAGE,)).encode(cnp)

    (drawn,) = decode(cnp, memory, [Goal("caption", 5, sampling=Sampling(4.0, 0.9, seed=3))])

    scores = cnp.decode(memory, "caption", torch.tensor([drawn.tokens]))
    wanted = [float(scores[0, i, token]) for i, token in enumerate(drawn.tokens)]
    assert drawn.log_probabilities == pytest.approx(wanted, abs=1e-9)
