"""Sampling."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import pytest
import torch

from omninet.model.decoding.batch import RunningBatch, decode
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.decoding.rules import Rules
from omninet.model.decoding.sampler import Sampler
from omninet.model.decoding.sampling import Sampling
from omninet.model.decoding.search import DistinctSearch
from omninet.model.network.cnp import CNP
from tests.model.networks import IMAGE, TEXT, VIDEO, Row, small_cnp

SCORES = torch.tensor([0.5, 0.1, 0.3, 0.1]).log()


@pytest.fixture(scope="module")
def cnp() -> CNP:
    return small_cnp().requires_grad_(False)


def shares(sampling: Sampling, scores: torch.Tensor = SCORES, draws: int = 4000) -> list[float]:
    sampler = Sampler(sampling)
    found = Counter(sampler.draw(scores) for _ in range(draws))
    return [found[i] / draws for i in range(len(scores))]


def test_classes_are_sampled_by_their_probability() -> None:
    assert shares(Sampling()) == pytest.approx([0.5, 0.1, 0.3, 0.1], abs=0.03)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_temperature(temperature: float) -> None:
    expected = torch.softmax(SCORES / temperature, -1).tolist()

    assert shares(Sampling(temperature)) == pytest.approx(expected, abs=0.03)


def test_a_temperature_near_zero_is_greedy() -> None:
    assert shares(Sampling(0.01), draws=100) == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("top_p", "expected"), [(0.01, [1, 0, 0, 0]), (0.5, [1, 0, 0, 0]), (0.6, [0.625, 0, 0.375, 0])]
)
def test_top_p(top_p: float, expected: list[float]) -> None:
    assert shares(Sampling(top_p=top_p)) == pytest.approx(expected, abs=0.03)


def test_forbidden_classes_are_never_sampled() -> None:
    scores = SCORES.clone()
    scores[0] = -math.inf

    assert shares(Sampling(5.0), scores)[0] == 0


def test_a_seed_gives_the_same_text_in_any_batch(cnp: CNP) -> None:
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


@pytest.mark.parametrize(
    ("sampling", "tokens"),
    [
        (Sampling(3.0, seed=2), [3, 3, 0, 0, 1, 2, 9, 0]),
        (Sampling(2.0, 0.8, seed=3), [0, 0, 0, 0, 0, 0, 0, 8]),
        (Sampling(4.0, 0.9, seed=2**63 - 1), [0, 9, 4, 8, 8, 2, 2, 0]),
    ],
)
def test_samples_of_a_seed_are_fixed(cnp: CNP, sampling: Sampling, tokens: list[int]) -> None:
    (drawn,) = decode(cnp, Row((IMAGE,)).encode(cnp), [Goal("caption", 8, sampling=sampling)])

    assert drawn.tokens == tokens


def texts(decoded: Decoded) -> list[tuple[int, ...]]:
    return [tuple(decoded.tokens), *(other.tokens for other in decoded.others)]


@pytest.mark.parametrize("rules", [Rules(), Rules(min_length=2, no_repeat_ngram=2)])
@pytest.mark.parametrize("temperature", [0.01, 0.3, 3.0])
def test_several_samples_are_distinct(cnp: CNP, temperature: float, rules: Rules) -> None:
    memory = Row((IMAGE,)).encode(cnp)
    for seed in range(5):
        sampling = Sampling(temperature, seed=seed)
        one, (several,) = (decode(cnp, memory, [Goal("caption", 6, 0, n, n, rules, sampling)]) for n in (1, 5))
        assert len(set(texts(several))) == 5
        assert texts(one[0])[0] in texts(several), "the first sample is the same with and without further samples"


@pytest.mark.parametrize(
    ("goal", "count"),
    [
        (Goal("caption", 6, 0, 5, 5, sampling=Sampling(top_p=0.01)), 1),  # only the likeliest class is in the nucleus
        (Goal("caption", 1, 0, 16, 16, sampling=Sampling(0.01)), 11),  # one text for each of the 11 classes
    ],
)
def test_there_are_fewer_samples_if_no_more_exist(cnp: CNP, goal: Goal, count: int) -> None:
    (found,) = decode(cnp, Row((IMAGE,)).encode(cnp), [goal])

    assert len(texts(found)) == len(set(texts(found))) == count


# A toy language of classes 0 and 1, where 0 ends a text: next-class probabilities of each prefix, and of all texts.
AFTER = {(): [0.2, 0.8], (1,): [0.5, 0.5], (1, 1): [0.7, 0.3]}
LANGUAGE = {(0,): 0.2, (1, 0): 0.4, (1, 1, 0): 0.28, (1, 1, 1): 0.12}


def drawn_from_language(seed: int) -> frozenset[tuple[int, ...]]:
    search = DistinctSearch(Goal("caption", 3, end=0, beams=2, best=2), Sampling(seed=seed))
    while any(search.hypotheses):
        after = [AFTER[each.tokens] if each else [0.5, 0.5] for each in search.hypotheses]
        search.step((), torch.tensor(after).log(), torch.tensor(after).log())
    return frozenset(each.tokens for each in search.finished)


def test_texts_are_sampled_without_replacement() -> None:
    draws = 3000
    found = Counter(drawn_from_language(seed) for seed in range(draws))

    for one, other in combinations(LANGUAGE, 2):
        p, q = LANGUAGE[one], LANGUAGE[other]
        expected = p * q / (1 - p) + q * p / (1 - q)  # either order of the two texts
        assert found[frozenset((one, other))] / draws == pytest.approx(expected, abs=0.03)


def test_seeds_give_different_samples(cnp: CNP) -> None:
    memory = Row((IMAGE,)).encode(cnp)
    goals = [Goal("caption", 8, sampling=Sampling(3.0, seed=seed)) for seed in range(5)]

    assert len({tuple(decode(cnp, memory, [goal])[0].tokens) for goal in goals}) == 5


def test_probabilities_are_those_of_the_network(cnp: CNP) -> None:
    memory = Row((IMAGE,)).encode(cnp)

    (drawn,) = decode(cnp, memory, [Goal("caption", 5, sampling=Sampling(4.0, 0.9, seed=3))])

    scores = cnp.decode(memory, "caption", torch.tensor([drawn.tokens]))
    wanted = [float(scores[0, i, token]) for i, token in enumerate(drawn.tokens)]
    assert drawn.log_probabilities == pytest.approx(wanted, abs=1e-9)
