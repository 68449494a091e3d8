"""Constraints on the next token."""

from __future__ import annotations

import math

import pytest
import torch

from omninet.model.decoding.batch import decode
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.rules import Rules
from omninet.model.decoding.search import Search, mask_forbidden
from omninet.model.network.cnp import CNP
from tests.model.networks import IMAGE, TASKS, Row, small_cnp


@pytest.fixture(scope="module")
def cnp() -> CNP:
    return small_cnp().requires_grad_(False)


@pytest.mark.parametrize(
    ("length", "tokens", "forbidden"),
    [
        (None, (1, 1, 1), set()),
        (1, (), set()),
        (1, (4, 2, 4), {2, 4}),
        (2, (5,), set()),
        (2, (1, 2, 1), {2}),
        (2, (1, 2, 1, 3, 1), {2, 3}),
        (2, (1, 1), {1}),
        (3, (1, 2, 3, 1, 2), {3}),
        (3, (1, 2), set()),
        (9, (1, 2, 3), set()),
    ],
)
def test_tokens_that_repeat_an_ngram_are_forbidden(
    length: int | None, tokens: tuple[int, ...], forbidden: set[int]
) -> None:
    assert Rules(no_repeat_ngram=length).forbidden(tokens, end=0) == forbidden


def test_the_end_token_is_forbidden_before_the_minimum_length() -> None:
    rules = Rules(min_length=2)

    assert [rules.forbidden((7,) * n, end=0) for n in range(4)] == [{0}, {0}, set(), set()]
    assert rules.forbidden((), end=None) == set()


def test_without_rules_scores_are_unchanged() -> None:
    scores = torch.zeros(2, 1, 4)

    assert mask_forbidden(scores, [Search(Goal("caption", 3)), None]) is scores


def test_forbidden_tokens_have_zero_probability() -> None:
    ruled, free = Search(Goal("caption", 3, end=2, rules=Rules(min_length=1))), Search(Goal("caption", 3, end=2))
    scores = torch.zeros(2, 1, 4)

    assert mask_forbidden(scores, [ruled, free])[:, 0].tolist() == [[0, 0, -math.inf, 0], [0, 0, 0, 0]]
    assert scores.sum() == 0


def test_rules_that_forbid_everything_are_ignored() -> None:
    search = Search(Goal("caption", 9, rules=Rules(no_repeat_ngram=1)))
    search.advance([(0, 0, -1.0)])
    search.advance([(0, 1, -1.0)])

    assert mask_forbidden(torch.zeros(1, 1, 2), [search]).tolist() == [[[0.0, 0.0]]]


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_no_ngram_occurs_twice(cnp: CNP, beams: int, length: int) -> None:
    steps = min(9, TASKS["caption"])
    goal = Goal("caption", steps, beams=beams, rules=Rules(no_repeat_ngram=length))

    (found,) = decode(cnp, Row((IMAGE,)).encode(cnp), [goal])

    runs = [tuple(found.tokens[i : i + length]) for i in range(len(found.tokens) - length + 1)]
    assert len(set(runs)) == len(runs) == steps - length + 1


@pytest.mark.parametrize("beams", [1, 3])
def test_a_text_has_its_minimum_length(cnp: CNP, beams: int) -> None:
    memory = Row((IMAGE,)).encode(cnp)
    (plain,) = decode(cnp, memory, [Goal("caption", 6)])
    end = plain.tokens[0]  # the likeliest first token, so that a text would end at once

    lengths = [
        len(decode(cnp, memory, [Goal("caption", 6, end, beams, rules=Rules(min_length=minimum))])[0].tokens)
        for minimum in range(5)
    ]

    assert lengths[0] == 1 or beams > 1
    assert all(length > minimum for minimum, length in enumerate(lengths))
