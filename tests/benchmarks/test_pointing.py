"""The pointing game on maps that are made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.pointing import Word, chance, score

LEFT, MIDDLE = (0.0, 0.0, 0.4, 1.0), (0.35, 0.35, 0.65, 0.65)


def peak(row: int, column: int) -> np.ndarray:
    grid = np.zeros((5, 5))
    grid[row, column] = 1
    return grid


def word(photo: str, box: tuple[float, float, float, float], grid: np.ndarray) -> Word:
    return Word(photo, "dog", (box,), {"map": grid})


def test_maps_that_point_at_the_things() -> None:
    found = [word("a", LEFT, peak(4, 0)), word("b", MIDDLE, peak(2, 2))]

    result = score(found, "map")

    assert chance(found) == pytest.approx((10 / 25 + 1 / 25) / 2)
    assert result.hits == 100
    assert result.others == 0
    assert result.corners == 50
    assert result.figure == pytest.approx((1 - 0.22) / (0.5 - 0.22))


def test_maps_that_know_nothing_of_the_photo() -> None:
    found = [word("a", LEFT, peak(2, 1)), word("b", LEFT, peak(2, 1)), word("c", MIDDLE, peak(2, 1))]

    result = score(found, "map")

    assert result.hits == pytest.approx(200 / 3)
    assert result.others == pytest.approx(result.hits, abs=15)
    assert result.corners == 0
