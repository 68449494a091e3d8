"""Measures of rejection, against values worked out by hand."""

from __future__ import annotations

import pytest

from omninet.model.outputs.boxes.absence import absence_average_precision, absence_f1, keeping_threshold, rejection

TEN = [float(score) for score in range(1, 11)]


def test_the_threshold_keeps_nine_of_ten() -> None:
    assert keeping_threshold(TEN) == 2
    assert keeping_threshold(TEN, 1.0) == 1
    assert keeping_threshold(TEN, 0.85) == 2
    assert keeping_threshold([3.0], 0.9) == 3


def test_rejection() -> None:
    assert rejection(TEN, [1.9, 2.0, 0.0, 5.0]) == 50


@pytest.mark.parametrize(("present", "absent"), [([], [1.0]), ([1.0], [])])
def test_rejection_needs_scores_of_both_kinds(present: list[float], absent: list[float]) -> None:
    with pytest.raises(ValueError, match=r"cannot be kept|no phrase of another photo"):
        rejection(present, absent)


def test_a_share_of_nothing_is_no_share() -> None:
    with pytest.raises(ValueError, match="cannot be kept"):
        keeping_threshold(TEN, 0)


def test_f1() -> None:
    # Two of three absences are found, and two of four that are said are right.
    assert absence_f1([True, True, True, False, False], [True, True, False, True, True]) == pytest.approx(400 / 7)
    assert absence_f1([True, False], [False, False]) == 0
    assert absence_f1([False], [False]) == 0


def test_average_precision() -> None:
    # By rising score: absent (1/1), present, absent (2/3), present.
    found = absence_average_precision([True, False, True, False], [0.1, 0.2, 0.3, 0.4])
    assert found == pytest.approx(100 * (1 + 2 / 3) / 2)


def test_equal_scores_share_a_step() -> None:
    # One of the three lowest is absent, whichever comes first; then two of four.
    assert absence_average_precision([True, False, False, True], [0.1, 0.1, 0.1, 0.4]) == pytest.approx(
        100 * (1 / 3 + 2 / 4) / 2
    )
    assert absence_average_precision([False, False, True], [0.0] * 3) == pytest.approx(100 / 3)


def test_without_an_absent_phrase_there_is_no_precision() -> None:
    with pytest.raises(ValueError, match="no phrase is absent"):
        absence_average_precision([False], [0.5])
