"""The match output: log-odds, probability, accuracy and the area under the curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest

from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.match.answer import Match
from omninet.model.outputs.match.metrics import area_under_curve


@dataclass(frozen=True)
class Pair:
    """Ground truth of a pair."""

    answer: str
    question: None = None
    tags: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    answer_type: str = ""
    truth: Any = None


OUTPUT = OUTPUTS["match"]


def match(score: float) -> Match:
    return Match(score=score, probability=1 / (1 + math.exp(-score)))


def test_metrics_by_hand() -> None:
    truths = [Pair("match"), Pair("match"), Pair("no-match"), Pair("no-match")]

    found = OUTPUT.metrics(truths, [match(2), match(-0.5), match(-1), match(-0.5)])

    assert found == {"accuracy": 75.0, "AUC": pytest.approx(100 * (2 + 1.5) / 4)}


@pytest.mark.parametrize(
    ("scores", "right", "area"),
    [
        ([1, 2, 3, 4], [False, False, True, True], 1.0),
        ([4, 3, 2, 1], [False, False, True, True], 0.0),
        ([1, 1, 1], [True, False, True], 0.5),
        ([1, 2], [True, True], 0.5),
    ],
)
def test_area_under_curve(scores: list[float], right: list[bool], area: float) -> None:
    assert area_under_curve(scores, right) == area


def test_an_answer_is_its_likelier_class() -> None:
    assert OUTPUT.is_right(Pair("match"), match(0.1))
    assert OUTPUT.is_right(Pair("no-match"), match(-0.1))
    assert OUTPUT.line(match(-2)) == "no-match (11.9%)"
    assert OUTPUT.probability(match(-2)) == pytest.approx(0.8808, abs=1e-4)


def test_the_constant_is_the_more_frequent_class() -> None:
    train = [Pair("match"), Pair("no-match"), Pair("no-match")]

    name, answers = OUTPUT.constant(train, train)

    assert name == "no-match"
    assert OUTPUT.metrics(train, answers)["accuracy"] == pytest.approx(200 / 3)
    assert OUTPUT.metrics(train, answers)["AUC"] == 50
