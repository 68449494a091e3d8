"""Measures of boxes, against values worked out by hand."""

from __future__ import annotations

import pytest

from omninet.model.outputs.boxes.metrics import LARGE, SMALL, Box, Boxes, grounding_metrics, iou, is_found, size_of

LEFT, RIGHT, WHOLE = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)
DOT = (0.1, 0.1, 0.15, 0.15)  # 0.25% of the photo
TILE = (0.0, 0.0, 0.1, 0.1)  # 1%
POINT = (0.3, 0.3, 0.3, 0.3)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (LEFT, LEFT, 1),
        (LEFT, RIGHT, 0),
        (LEFT, WHOLE, 0.5),
        ((0, 0, 0.2, 0.2), (0.1, 0.1, 0.3, 0.3), 1 / 7),
        ((0, 0, 0.2, 0.2), (0.5, 0.5, 0.7, 0.7), 0),
        (POINT, POINT, 0),
        (POINT, LEFT, 0),
    ],
)
def test_iou(one: Box, other: Box, wanted: float) -> None:
    assert iou(one, other) == pytest.approx(wanted)
    assert iou(other, one) == pytest.approx(wanted)


def test_half_is_enough() -> None:
    assert is_found([LEFT], [WHOLE])
    assert not is_found([LEFT], [(0.0, 0.0, 1.0, 0.9)])
    assert not is_found([LEFT], [])


def test_sizes() -> None:
    assert (round(SMALL, 4), LARGE) == (0.0033, 0.03)
    assert [size_of([box]) for box in (DOT, TILE, LEFT)] == ["small", "medium", "large"]
    assert size_of([DOT, LEFT]) == "large"
    assert size_of([(0.0, 0.0, SMALL, 1.0)]) == "medium"
    assert size_of([(0.0, 0.0, LARGE, 1.0)]) == "large"


def test_grounding() -> None:
    truths: list[Boxes] = [[LEFT], [LEFT, RIGHT], [DOT], [TILE], [RIGHT]]
    given: list[Boxes] = [[LEFT], [RIGHT], [TILE, DOT], [], [LEFT, WHOLE]]

    assert grounding_metrics(truths, given) == {
        "accuracy at IoU 0.5": 40,
        "accuracy at IoU 0.5, any box": 80,
        "accuracy at IoU 0.5, small": 0,
        "accuracy at IoU 0.5, medium": 0,
        "accuracy at IoU 0.5, large": pytest.approx(200 / 3),
    }


def test_a_size_without_phrase_is_left_out() -> None:
    assert "accuracy at IoU 0.5, small" not in grounding_metrics([[LEFT]], [[LEFT]])


@pytest.mark.parametrize("truths", [[], [[]], [[LEFT], []]])
def test_phrases_without_a_box_are_not_measured(truths: list[Boxes]) -> None:
    with pytest.raises(ValueError, match="at least one true box"):
        grounding_metrics(truths, [[LEFT]] * len(truths))
