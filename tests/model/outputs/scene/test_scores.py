"""Precision and recall of words that are found and read."""

from __future__ import annotations

import pytest

from omninet.model.outputs.scene.answer import PlacedWord
from omninet.model.outputs.scene.scores import is_inside, spotting_scores
from omninet.model.outputs.scene.truth import WrittenWord


def square(left: float, text: str | None) -> WrittenWord:
    return WrittenWord(((left, 0), (left + 10, 0), (left + 10, 10), (left, 10)), text)


def word(x: float, text: str, probability: float = 0.9) -> PlacedWord:
    return PlacedWord(text, (x, 5), (), (), probability)


def test_by_hand() -> None:
    truth = [square(0, "Exit"), square(20, "SALE"), square(40, None), square(60, "open")]
    given = [word(5, "exit!"), word(6, "exit", 0.4), word(25, "SAIL"), word(45, "noise"), word(90, "x")]

    found = spotting_scores([truth], [given])

    assert found["precision"] == pytest.approx(100 * 1 / 4)  # the word in the unreadable region does not count
    assert found["recall"] == pytest.approx(100 * 1 / 3)
    assert found["H-mean"] == pytest.approx(100 * 2 / 7)
    assert (found["found: precision"], found["found: recall"]) == pytest.approx((50, 200 / 3))


def test_nothing_written_and_nothing_found() -> None:
    assert set(spotting_scores([[]], [[]]).values()) == {0.0}


def test_points_and_polygons() -> None:
    arrow = ((0.0, 0.0), (10.0, 5.0), (0.0, 10.0), (3.0, 5.0))

    assert is_inside((5, 5), arrow)
    assert not is_inside((1, 5), arrow)
    assert not is_inside((11, 5), arrow)


def test_a_word_that_is_found_counts_under_an_unreadable_region() -> None:
    truth = [square(0, "Exit"), square(0, None)]

    assert spotting_scores([truth], [[word(5, "exit")]])["precision"] == 100
