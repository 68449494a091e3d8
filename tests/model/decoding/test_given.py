"""Scoring of given sequences: their log-probabilities equal those of teacher forcing, in any batch."""

from __future__ import annotations

import pytest
import torch

from omninet.model.decoding.batch import decode
from omninet.model.decoding.goal import Goal, score_goal
from omninet.model.network.cnp import CNP
from omninet.model.network.memory import collate
from omninet.model.predictor import Predictor
from tests.model.networks import IMAGE, TEXT, VIDEO, Row, small_cnp
from tests.samples import picture

SEQUENCES = ((3, 1, 4, 1), (5,), (9, 2, 6))


@pytest.fixture(scope="module")
def cnp() -> CNP:
    return small_cnp().requires_grad_(False)


def forced(cnp: CNP, row: Row, sequence: tuple[int, ...]) -> list[float]:
    """Log-probabilities of a sequence by teacher forcing."""
    targets = torch.tensor([sequence])
    values: list[float] = cnp.decode(row.encode(cnp), row.task, targets)[0].gather(1, targets.T)[:, 0].tolist()
    return values


def test_scores_are_those_of_teacher_forcing_beside_rows_that_are_decoded(cnp: CNP) -> None:
    rows = [Row((IMAGE, TEXT)), Row((VIDEO,)), Row((TEXT,), "pos")]
    goals = [score_goal("caption", SEQUENCES), Goal("caption", 6, beams=3), Goal("pos", 3)]

    found, searched, tagged = decode(cnp, collate([row.encode(cnp) for row in rows]), goals)

    for sequence, hypothesis in zip(SEQUENCES[1:], found.others, strict=True):
        assert hypothesis.tokens == sequence
        assert hypothesis.log_probabilities == pytest.approx(forced(cnp, rows[0], sequence), abs=1e-10)
    assert tuple(found.tokens) == SEQUENCES[0]
    assert found.log_probabilities == pytest.approx(forced(cnp, rows[0], SEQUENCES[0]), abs=1e-10)
    assert searched.tokens == decode(cnp, rows[1].encode(cnp), [goals[1]])[0].tokens
    assert tagged.tokens == decode(cnp, rows[2].encode(cnp), [goals[2]])[0].tokens


@pytest.mark.parametrize("sequences", [(), ((1,), ())])
def test_empty_sequences_are_an_error(sequences: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        score_goal("caption", sequences)


def test_scores_equal_those_of_the_decoded_answer(toy_predictor: Predictor) -> None:
    answer = toy_predictor.predict("vqa", image=picture(), question="What is it?")
    names = toy_predictor.names_of("vqa")

    scores = toy_predictor.score("vqa", [[i] for i in range(len(names))], image=picture(), question="What is it?")

    best = max(scores, key=lambda hypothesis: hypothesis.total)
    assert toy_predictor.output("vqa").line(answer) == names[best.tokens[0]]
    assert sum(torch.tensor([each.total for each in scores]).exp()) == pytest.approx(1)
