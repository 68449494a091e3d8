"""Phrases with boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omninet.training.data.boxes import box_of_pixels, box_of_sides, checked_box
from tests.training.data.trees import insert, message_of, read

ENTITY = {"image": "train0.jpg", "phrase": "a dog", "boxes": [[0, 0, 1, 1]], "aspect": "exact"}


def test_flickr8k_entities(trees: Path) -> None:
    train, dev = read(trees, "flickr8k_entities"), read(trees, "flickr8k_entities", "dev")

    assert dev[1]["inputs"] == {
        "image": trees / "flickr8k_entities" / "Flicker8k_Dataset" / "dev1.jpg",
        "phrase": "thing 1",
    }
    assert dev[1]["truth"] == ((0.0, 0.0, 0.2, 1.0), (0.1, 0.0, pytest.approx(0.3), 1.0))
    assert [len(e["truth"]) for e in train] == [1, 2, 4]


def test_rough_boxes_are_left_out_of_train_only(copy: Path) -> None:
    for split in ("train", "dev"):
        (copy / "flickr8k_entities" / f"{split}.jsonl").write_text(json.dumps(ENTITY | {"aspect": "rough"}) + "\n")

    assert [len(read(copy, "flickr8k_entities", split)) for split in ("train", "dev")] == [0, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"boxes": []},
        {"boxes": [[0, 0, 1]]},
        {"boxes": [[0, 0, 1, 1.5]]},
        {"boxes": [[0.5, 0, 0.4, 1]]},
        {"boxes": [["a", 0, 0, 1]]},
        {"boxes": None},
        {"boxes": [[0, 0, 1, float("nan")]]},
        {"phrase": ""},
        {"image": 3},
    ],
)
def test_a_malformed_entity_is_named(copy: Path, change: dict[str, Any]) -> None:
    path = copy / "flickr8k_entities" / "train.jsonl"
    path.write_text(insert(2, json.dumps(ENTITY | change))(path.read_text()))

    assert message_of(copy, "flickr8k_entities").startswith(f"{path}:2 is no entity with image, phrase and boxes: ")


def test_pixels_become_fractions() -> None:
    assert box_of_pixels((10, 5, 20, 10), (40, 20)) == (0.25, 0.25, 0.5, 0.5)
    assert box_of_sides((10, 5, 10, 5), (40, 20)) == (0.25, 0.25, 0.5, 0.5)


def test_a_box_ends_at_the_edge_of_the_photo() -> None:
    assert box_of_sides((-1, 5, 100, 5), (40, 20)) == (0, 0.25, 1, 0.5)


@pytest.mark.parametrize(
    ("corners", "size"), [((0, 0, 1, 1), (0, 9)), ((0, 0, float("inf"), 1), (9, 9)), ((5, 0, 4, 1), (9, 9))]
)
def test_an_impossible_box_is_refused(corners: tuple[float, ...], size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="box"):
        box_of_pixels(corners, size)


def test_a_box_without_area_is_one() -> None:
    assert checked_box([0.5, 0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5, 0.5)
