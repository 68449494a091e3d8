"""Measures of labels, against values worked out by hand."""

from __future__ import annotations

import pytest

from omninet.model.outputs.label.metrics import Confusion, accuracy, consistency, macro_recall, top

WANTED = ["run", "run", "run", "wave"]
GIVEN = ["run", "wave", "run", "run"]


def test_accuracy() -> None:
    assert accuracy(WANTED, GIVEN) == 50


def test_top_counts_the_first_ones() -> None:
    likeliest = [["run", "wave"], ["wave", "run"], ["sit", "wave", "run"], ["run", "sit"]]

    assert [top(WANTED, likeliest, count) for count in (1, 2, 3)] == [25, 50, 75]


def test_macro_recall_weighs_classes_equally() -> None:
    # Two of three, none of one.
    assert macro_recall(WANTED, GIVEN) == pytest.approx(100 * (2 / 3 + 0) / 2)


def test_confusion() -> None:
    found = Confusion.of(WANTED, ["run", "wave", "run", "sit"])

    assert found.classes == ("run", "sit", "wave")
    assert found.counts == ((2, 0, 1), (0, 0, 0), (0, 1, 0))


def test_lists_of_different_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        accuracy(WANTED, GIVEN[:2])


def test_a_sentence_is_consistent_if_all_its_answers_are_right() -> None:
    sentences = ["a", "b", "a", "c", "b", "a"]

    assert consistency(sentences, [True] * 6) == 100
    assert consistency(sentences, [True, True, False, True, True, True]) == pytest.approx(200 / 3)
    assert consistency(sentences, [False] * 6) == 0
