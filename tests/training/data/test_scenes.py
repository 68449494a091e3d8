"""Photos of scenes with the words in them, and drawn ones."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from omninet.model.outputs.scene.truth import WrittenWord
from omninet.training.data import DATASETS
from omninet.training.data.scene_drawing import SIZE, DrawnScene
from omninet.training.data.scene_photos import ScenePhoto
from tests.training.data.trees import check_malformed, insert, message_of, read

EXIT = WrittenWord(((9.0, 2.0), (30.0, 2.0), (30.0, 12.0), (9.0, 12.0)), "Exit")


def test_icdar_2015(trees: Path) -> None:
    (train,), (dev,) = read(trees, "icdar2015_scenes"), read(trees, "icdar2015_scenes", "dev")

    assert train["image"] == ScenePhoto(trees / "icdar2015_scenes" / "train" / "Imgs" / "img_1.jpg", train["truth"])
    assert dev["image"] == trees / "icdar2015_scenes" / "dev" / "Imgs" / "img_2.jpg"
    readable, ignored = dev["truth"]
    assert readable == WrittenWord(((10, 20), (40, 22), (39, 30), (9, 28)), "SALE, now")
    assert ignored.text is None


def test_a_tenth_is_held_back_where_there_is_no_dev_part(trees: Path) -> None:
    for kind in ("icdar2013_scenes", "total_text", "street_view_text"):
        assert len(read(trees, kind)) == 10
        assert len(read(trees, kind, "dev")) == 1
    (dev,) = read(trees, "icdar2013_scenes", "dev")
    assert dev["truth"] == (EXIT,)
    assert dev["image"].name == "9.jpg"


def test_total_text(trees: Path) -> None:
    (dev,) = read(trees, "total_text", "dev")

    assert dev["truth"] == (
        WrittenWord(((1, 2), (5, 3), (9, 4)), "PETRO"),
        WrittenWord(((1, 2), (2, 3), (3, 4)), None),
    )


def test_coco_text(trees: Path) -> None:
    (train,), (dev,) = read(trees, "coco_text"), read(trees, "coco_text", "dev")

    assert [word.text for word in train["truth"]] == ["one", None]
    assert [word.text for word in dev["truth"]] == ["two"]


def test_street_view_text(trees: Path) -> None:
    (dev,) = read(trees, "street_view_text", "dev")

    assert dev["truth"] == (WrittenWord(((5, 6), (35, 6), (35, 16), (5, 16)), "LIVING"),)


@pytest.mark.parametrize("line", ["1,2,3", "a,b,c,d,e,f,g,h,word", "1 2 3 word"])
def test_a_line_that_is_no_word(copy: Path, line: str) -> None:
    name = "train/Gts/gt_img_1.txt"
    check_malformed(copy, "icdar2015_scenes", name, insert(1, line), ":1 must be x1,y1,x2,y2,x3,y3,x4,y4,word")


def test_a_photo_that_is_missing(copy: Path) -> None:
    (copy / "icdar2015_scenes" / "train" / "Imgs" / "img_1.jpg").unlink()

    assert "lacks the photo img_1" in message_of(copy, "icdar2015_scenes")


def test_lists_that_are_malformed(copy: Path) -> None:
    (copy / "street_view_text" / "train.xml").write_text("<image>")
    assert "is no list of Street View Text" in message_of(copy, "street_view_text")
    (copy / "coco_text" / "cocotext.v2.json").write_text('{"imgs": []}')
    assert "is no COCO-Text 2.0 annotations" in message_of(copy, "coco_text")


def test_scenes_are_drawn_anew_each_time(trees: Path) -> None:
    scene = read(trees, "rendered_scenes")[0]["image"]
    assert isinstance(scene, DrawnScene)

    one, again, other = (scene.example(random.Random(seed)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one.inputs["image"], again.inputs["image"])
    assert one.truth == again.truth != other.truth
    assert one.inputs["image"].shape == (SIZE[1], SIZE[0], 3)


def test_drawn_words_are_where_the_truth_says(trees: Path) -> None:
    """The brightness within a word varies more than that of the plain background around all words."""
    scene, found = read(trees, "rendered_scenes")[0]["image"], 0
    for seed in range(20):
        example = scene.example(random.Random(seed))
        for word in example.truth:
            xs, ys = zip(*word.corners, strict=True)
            assert -1 <= min(xs) <= max(xs) <= SIZE[0] + 1
            part = example.inputs["image"][int(min(ys)) : int(max(ys)) + 1, int(min(xs)) : int(max(xs)) + 1]
            found += part.std() > 4
    assert found > 30


def test_a_part_of_a_photo_moves_its_words(tmp_path: Path, trees: Path) -> None:
    photo = ScenePhoto(trees / "icdar2013_scenes" / "Challenge2_Training_Task12_Images" / "1.jpg", (EXIT,))
    shapes = set()
    for seed in range(30):
        example = photo.example(random.Random(seed))
        (word,) = example.truth
        (left, top), _, (right, bottom), _ = word.corners
        shapes.add(round((right - left) / 21, 3))
        assert (right - left) / (bottom - top) == pytest.approx(2.1)
        inside = left >= 0 and top >= 0 and right <= SIZE[0] and bottom <= SIZE[1]
        assert word.text == "Exit" or not inside
    assert len(shapes) > 20
    assert 0.6 <= min(shapes) < max(shapes) <= 1.5


def test_the_photos_of_scenes_are_known_to_checks(trees: Path) -> None:
    (train,) = DATASETS["icdar2015_scenes"](trees / "icdar2015_scenes").read("train")

    assert train.media == (trees / "icdar2015_scenes" / "train" / "Imgs" / "img_1.jpg",)
