"""Drawn boxes of shapes, and statements about them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from omninet.command import main
from omninet.training.data import DATASETS
from omninet.training.data.drawn_shapes import plain, write_shapes
from omninet.training.data.shape_scenes import COLOURS, INSIDE, Item, Scene
from omninet.training.data.shape_statements import Statement

YELLOW, BLUE, BLACK = "yellow", "blue", "black"


def tower(*colours: str) -> tuple[Item, ...]:
    """Return blocks from the base to the top."""
    return tuple(Item("square", colour, 40, 80 - 21 * level, 20) for level, colour in enumerate(colours))


TOWERS = Scene((tower(BLUE), tower(BLACK, BLUE, BLUE), tower(YELLOW, BLACK)), towers=True)
LOOSE = Scene(
    (
        (Item("circle", BLUE, 0, 80, 20), Item("square", BLUE, 40, 40, 30)),
        (Item("triangle", YELLOW, 90, 0, 10),),
        (Item("circle", BLACK, 35, 50, 20), Item("circle", YELLOW, 60, 70, 30), Item("square", BLUE, 10, 10, 10)),
    ),
    towers=False,
)


@pytest.fixture(scope="module")
def statements() -> Mapping[str, Statement]:
    """Return many statements by their text."""
    draw = Random(0)
    return {made.text: made for made in (Statement.random(draw) for _ in range(60_000))}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("There are exactly three blue blocks.", True),
        ("There are exactly two blue blocks.", False),
        ("There are two blue blocks.", None),
        ("There is no yellow block.", False),
        ("There are exactly two towers with a blue block at the top.", True),
        ("There is a tower with a blue block at the base.", True),
        ("There is a tower with three blocks and a black block at the top.", False),
        ("There is a black block as the base of a tower with exactly three blocks.", True),
        ("There are at least two towers with two blocks.", False),
        ("There is exactly one tower which has a blue block above a blue block.", True),
        ("There is a blue block over a black block.", True),
        ("There is a black block under a yellow block.", False),
        ("There is a black block above a yellow block.", True),
        ("There is a tower with all blocks of the same color.", True),
        ("There is a tower with only black blocks.", False),
        ("The tops of the three towers are not the same in color.", True),
        ("The bases of the three towers are the same in color.", False),
        ("The tower with two blocks has a black block at the top.", True),
        ("The tower with four blocks has a black block at the top.", None),
    ],
)
def test_statements_about_towers(statements: Mapping[str, Statement], text: str, holds: bool | None) -> None:
    assert statements[text].towers
    assert statements[text].holds(TOWERS) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("There are exactly three circles.", True),
        ("There are at least three yellow items.", False),
        ("There are two circles.", None),
        ("There is a blue circle touching the edge.", True),
        ("There is a yellow circle touching the corner.", False),
        ("There is exactly one blue circle touching the edge.", True),
        ("There is a yellow item touching the right of a box.", True),
        ("All the blue items are touching the edge.", False),
        ("None of the black items are touching the edge.", True),
        ("None of the black squares are touching the edge.", None),
        ("There is a box with a black circle and a square.", True),
        ("There is a box with a black circle and 2 blue circles.", False),
        ("Each box has a blue item.", False),
        ("One of the boxes has exactly three items.", True),
        ("One of the boxes has more than three items.", False),
        ("There is a box with only yellow items.", True),
        ("There is a box with items of three different colors.", True),
        ("There is a box with items of 2 different colors.", False),
        ("There are exactly two boxes with a blue item on top.", True),
    ],
)
def test_statements_about_loose_items(statements: Mapping[str, Statement], text: str, holds: bool | None) -> None:
    assert not statements[text].towers
    assert statements[text].holds(LOOSE) is holds


def test_a_picture() -> None:
    picture = LOOSE.picture()

    assert picture.size == (400, 100)
    assert picture.getpixel((55, 55)) == COLOURS[BLUE]  # the square of the first box
    assert picture.getpixel((80, 20)) == INSIDE
    assert picture.getpixel((300 + 45, 60)) == COLOURS[BLACK]


def test_loose_items_do_not_touch_one_another() -> None:
    scenes = [Scene.random(Random(seed)) for seed in range(60)]

    for scene in scenes:
        for box in scene.boxes:
            assert scene.towers or not any(item.meets(other) for item in box for other in box if other is not item)
            assert all(0 <= edge <= 100 for item in box for edge in (item.x, item.y, item.x + item.size))
    assert {scene.towers for scene in scenes} == {True, False}


def test_every_statement_is_true_of_one_picture_and_false_of_another(tmp_path: Path) -> None:
    assert main(["data", "shapes", str(tmp_path), "--pictures", "40", "--seed", "1"]) == 0

    examples = DATASETS["nlvr"](tmp_path).read("train")
    labels = Counter((example.inputs["statement"], example.answer) for example in examples)
    assert len(examples) == 160
    assert all(labels[text, "true"] == labels[text, "false"] for text, _ in labels)
    with Image.open(examples[0].inputs["image"]) as picture:
        assert picture.size == (400, 100)
    assert DATASETS["nlvr"](tmp_path).read("dev")


def test_the_sentences_of_a_test_set_are_not_made(tmp_path: Path) -> None:
    def sentences(folder: Path, without: list[str]) -> list[str]:
        write_shapes(folder, 20, without=without)
        return [json.loads(line)["sentence"] for line in (folder / "train/train.json").read_text().splitlines()]

    made = sentences(tmp_path / "all", [])

    assert made == sentences(tmp_path / "again", [])
    never = {plain(made[0]), plain(made[2])}
    assert not never & {plain(text) for text in sentences(tmp_path / "less", [made[0].upper(), made[2].rstrip(".")])}


def test_too_few_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "shapes", str(tmp_path), "--pictures", "5"]) == 2
    assert "at least 20 pictures" in capsys.readouterr().err
