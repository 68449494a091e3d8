"""Boxes around words."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from omninet.model.outputs.scene.box import WordBox, holding, in_reading_order, without_repeats
from omninet.model.outputs.scene.cells import VALUES, boxes_of, grid_of
from omninet.model.outputs.scene.crops import crops_of


@pytest.mark.parametrize("angle", [0.0, 0.3, -1.2, 3.0])
def test_corners_and_back(angle: float) -> None:
    box = WordBox(50, 40, 30, 10, angle)
    found = WordBox.around(box.corners())

    assert (found.x, found.y, found.wide, found.high) == pytest.approx((50, 40, 30, 10))
    assert math.cos(found.angle - angle) == pytest.approx(1)


def test_which_middles_a_box_holds() -> None:
    box = WordBox(50, 40, 30, 10, 0.5)
    (x1, y1), (x2, y2), *_ = box.corners()
    inside, outside = (
        WordBox(50 + share * ((x1 + x2) / 2 - 50), 40 + share * ((y1 + y2) / 2 - 40), 2, 2) for share in (0.98, 1.02)
    )

    assert holding([box, inside, outside]).tolist()[0] == [True, True, False]
    assert holding([]).shape == (0, 0)


def test_repeats_are_left_out() -> None:
    one, inner, beside = WordBox(10, 10, 20, 8), WordBox(12, 10, 6, 4, 0, 0.9), WordBox(40, 10, 20, 8, 0, 0.5)

    boxes = [inner, one, beside]

    assert without_repeats(boxes, holding(boxes)) == [1, 2]


def test_reading_order_is_line_by_line() -> None:
    slanted = [WordBox(10, 50, 16, 8, 0.1), WordBox(40, 53, 16, 8, 0.1), WordBox(70, 56, 16, 8, 0.1)]
    below, above = [WordBox(5, 80, 8, 8), WordBox(60, 79, 8, 8)], [WordBox(30, 12, 40, 12), WordBox(80, 10, 30, 12)]
    wanted = [*above, *slanted, *below]

    shuffled = [*wanted]
    Random(1).shuffle(shuffled)

    assert in_reading_order(shuffled) == wanted


def said(box: WordBox, rows: int = 12, columns: int = 16) -> np.ndarray:
    """Return the values of cells that say where a box is."""
    values = np.full((rows, columns, VALUES), -8.0, np.float32)
    cos, sin = math.cos(box.angle), math.sin(box.angle)
    for row in range(rows):
        for column in range(columns):
            dx, dy = column + 0.5 - box.x, row + 0.5 - box.y
            u, v = cos * dx + sin * dy, cos * dy - sin * dx
            if abs(u) < box.wide / 2 and abs(v) < box.high / 2:
                sides = (box.wide / 2 + u, box.high / 2 + v, box.wide / 2 - u, box.high / 2 - v)
                values[row, column] = (2.0, *np.log(sides), box.angle)
    return values.reshape(-1)


@pytest.mark.parametrize("angle", [0.0, 0.25, -0.4])
def test_cells_agree_on_a_box(angle: float) -> None:
    box = WordBox(8.2, 6.1, 7, 2.2, angle)

    (found,) = boxes_of(said(box))

    assert (found.x, found.y, found.wide, found.high) == pytest.approx((8.2, 6.1, 7, 2.2), abs=1e-4)
    assert found.angle == pytest.approx(angle, abs=1e-6)
    assert found.probability == pytest.approx(1 / (1 + math.exp(-2)))
    assert boxes_of(said(box), least=0.9) == []


def test_the_grid_of_a_tile() -> None:
    assert grid_of(48 * 64) == (48, 64)
    assert grid_of(12 * 16) == (12, 16)


def test_a_slanted_word_is_cut_out_upright() -> None:
    """The corners of a box have four colours; upright, each is in its corner."""
    box = WordBox(60, 50, 60, 24, 0.5)
    rows, columns = np.mgrid[:100, :120]
    dx, dy = columns + 0.5 - box.x, rows + 0.5 - box.y
    u, v = math.cos(0.5) * dx + math.sin(0.5) * dy, math.cos(0.5) * dy - math.sin(0.5) * dx
    pixels = np.stack([np.where(u < 0, 255, 0), np.where(v < 0, 255, 0), np.zeros_like(u)]).astype(np.uint8)

    (crop,) = crops_of(pixels, [box])

    high, wide, _ = crop.shape
    assert (wide, high) == (66, 30)
    assert (crop[: high // 2 - 3, : wide // 2 - 3] == (255, 255, 0)).all()
    assert (crop[high // 2 + 3 :, wide // 2 + 3 :] == 0).all()


def test_a_polygon_has_an_upright_box() -> None:
    above, below = [(x, 10.0) for x in (0.0, 50.0, 100.0)], [(x, 30.0) for x in (100.0, 50.0, 0.0)]

    assert WordBox.around([*above, *below]) == WordBox(50, 20, 100, 20)


def test_a_box_whose_middle_is_outside_is_left_out() -> None:
    values = np.full((12, 16, VALUES), -8.0, np.float32)
    values[3, 0] = (2.0, math.log(20), 0, math.log(0.5), 0, 0)

    assert boxes_of(values.reshape(-1)) == []


def test_angles_are_averaged_on_the_circle() -> None:
    values = np.full((12, 16, VALUES), -8.0, np.float32)
    values[5, 7], values[5, 8] = (2.0, 1, 1, 1, 1, 3.1), (2.0, 1, 1, 1, 1, -3.1)

    (found,) = boxes_of(values.reshape(-1))

    assert abs(found.angle) > 3
