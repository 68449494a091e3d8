"""Greedy decoding of batches that mix tasks."""

from __future__ import annotations

import pytest
import torch

from model.cnp import CNP
from model.decoding import CANDIDATES, Goal, greedy
from model.memory import collate
from tests.model.networks import IMAGE, TASKS, TEXT, VIDEO, Row, small_cnp, step_through
from tests.model.reference import Reference

ROWS = [Row((TEXT,), "pos"), Row((VIDEO,)), Row((IMAGE, TEXT), "vqa")]
GOALS = [Goal("pos", 4), Goal("caption", 6), Goal("vqa", 1)]


@pytest.fixture(scope="module")
def cnp() -> CNP:
    return small_cnp().requires_grad_(False)


def test_each_row_reaches_its_own_goal(cnp: CNP) -> None:
    rows = greedy(cnp, collate([row.encode(cnp) for row in ROWS]), GOALS)

    assert [len(row.tokens) for row in rows] == [4, 6, 1]
    for row, goal, decoded in zip(ROWS, GOALS, rows, strict=True):
        (alone,) = greedy(cnp, row.encode(cnp), [goal])
        assert decoded.tokens == alone.tokens
        assert decoded.log_probabilities == pytest.approx(alone.log_probabilities, abs=1e-10)


def test_every_token_is_the_likeliest_after_those_before_it(cnp: CNP) -> None:
    row = ROWS[1]
    reference = Reference(cnp)
    caches = reference.encode([(x.domain, x.values()[0].numpy()) for x in row.inputs])

    (decoded,) = greedy(cnp, row.encode(cnp), [Goal("caption", 5)])

    for i, (token, value) in enumerate(zip(decoded.tokens, decoded.log_probabilities, strict=True)):
        expected = reference.next_output(caches, "caption", decoded.tokens[:i])
        assert token == expected.argmax()
        assert value == pytest.approx(expected.max(), abs=1e-10)


def test_a_row_ends_with_its_end_token(cnp: CNP) -> None:
    memory = collate([row.encode(cnp) for row in ROWS])
    full = greedy(cnp, memory, GOALS)[1]
    end = full.tokens[2]
    stop = full.tokens.index(end) + 1

    rows = greedy(cnp, memory, [GOALS[0], Goal("caption", 6, end=end), GOALS[2]])

    assert rows[1].tokens == full.tokens[:stop]
    assert [len(row.tokens) for row in rows] == [4, stop, 1]


def test_candidates_are_of_the_first_step(cnp: CNP) -> None:
    (row,) = greedy(cnp, ROWS[2].encode(cnp), [Goal("vqa", 1)])

    scores = step_through(cnp, [ROWS[2]], 1)[0][0]
    assert len(row.candidates) == min(CANDIDATES, TASKS["vqa"])
    assert [value for _, value in row.candidates] == sorted(scores.tolist(), reverse=True)[:CANDIDATES]
    assert all(scores[i].item() == value for i, value in row.candidates)
    assert row.tokens == [row.candidates[0][0]]


def test_fewer_classes_than_candidates() -> None:
    cnp = small_cnp().requires_grad_(False)
    cnp.classifiers["pos"] = torch.nn.Linear(cnp.config.d_model, 2).double()

    (row,) = greedy(cnp, ROWS[0].encode(cnp), [Goal("pos", 1)])

    assert len(row.candidates) == 2
