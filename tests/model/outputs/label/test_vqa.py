"""VQA accuracy, against values worked out by hand."""

from __future__ import annotations

import pytest

from omninet.model.outputs.label.vqa import accuracy, normalise, shares


@pytest.mark.parametrize(
    ("agreeing", "expected"),
    # Leaving out one that agrees leaves one less: of two, twice 1/3 and eight times 2/3.
    [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (8, 1.0), (10, 1.0)],
)
def test_agreement(agreeing: int, expected: float) -> None:
    annotators = ["red"] * agreeing + [f"other {i}" for i in range(10 - agreeing)]

    assert accuracy("red", annotators) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        ("Yes.", "yes"),
        ("the Red one", "red 1"),
        ("None", "0"),
        ("ten", "10"),
        ("3.5", "3.5"),
        ("p.m.", "pm"),
        ("100,978", "100978"),
        ("red, white", "red white"),
        ("t-shirt", "t shirt"),
        ("girl's", "girl's"),
        ("2:50", "2:50"),
        ("dont know", "don't know"),
        ("were", "were"),
        ("50%", "50%"),
        ("new_york/usa", "new york usa"),
        ("a", ""),
    ],
)
def test_normalisation(answer: str, plain: str) -> None:
    assert normalise(answer) == plain


def test_both_sides_are_normalised_where_annotators_disagree() -> None:
    annotators = ["Two"] * 2 + ["2"] * 2 + ["three"] * 6

    assert accuracy("two.", annotators) == pytest.approx(1.0)


def test_answers_are_not_normalised_if_annotators_agree() -> None:
    assert accuracy("2", ["two"] * 10) == 0
    assert accuracy(" two ", ["two"] * 10) == 1


def test_soft_targets_count_three_annotators_as_certain() -> None:
    ids = {"white": 0, "blue": 1, "2": 2}
    annotators = ["white"] * 6 + ["Blue", " blue.", "two", "off white"]

    # Weights 1, 2/3 and 1/3; an answer without a class counts nothing.
    assert shares(annotators, ids) == pytest.approx({0: 3 / 6, 1: 2 / 6, 2: 1 / 6})
    assert shares(["green"] * 10, ids) == shares([], ids) == {}
