"""Pictures of words: cropped from photos, and drawn."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from omninet.training.data import DATASETS, DataError, MissingError
from omninet.training.data.text_drawing import DrawnWord, draws_ascii
from tests.training.data.trees import check_malformed, insert, read


@pytest.mark.parametrize(("kind", "name"), [("icdar2015_words", "icdar2015"), ("iiit5k_words", "iiit5k")])
def test_words_on_photos(trees: Path, kind: str, name: str) -> None:
    train, dev = read(trees, kind), read(trees, kind, "dev")

    folder = trees / kind / name
    assert [(e["image"], e["answer"]) for e in train] == [(folder / "1.jpg", "SALE!"), (folder / "2.jpg", 'a, "b"')]
    assert [(e["image"], e["answer"]) for e in dev] == [(folder / "3.jpg", "Exit")]


def test_the_lists_of_iiit5k_itself(tmp_path: Path) -> None:
    words = np.array([("train/1_1.png", "PRIVATE"), ("train/2_1.png", "12")], [("ImgName", "O"), ("GroundTruth", "O")])
    savemat(tmp_path / "traindata.mat", {"traindata": words})
    (tmp_path / "testdata.mat").write_bytes(b"no MATLAB")

    examples = DATASETS["iiit5k_words"](tmp_path).read("train")

    assert [example.answer for example in examples] == ["PRIVATE", "12"]
    assert examples[1].inputs["image"] == tmp_path / "train/2_1.png"
    outside = np.array([("../1_1.png", "PRIVATE"), ("b.png", "12")], [("ImgName", "O"), ("GroundTruth", "O")])
    savemat(tmp_path / "devdata.mat", {"devdata": outside})
    with pytest.raises(DataError, match="leads out of its folder"):
        DATASETS["iiit5k_words"](tmp_path).read("dev")
    with pytest.raises(DataError, match=r"testdata\.mat is no list of IIIT 5K-word"):
        DATASETS["iiit5k_words"](tmp_path).read("test")


@pytest.mark.parametrize("line", ["a.jpg", "a.jpg, Exit", 'a.jpg, "', '../a.jpg, "Exit"'])
def test_a_line_that_is_malformed(copy: Path, line: str) -> None:
    check_malformed(copy, "iiit5k_words", "iiit5k_train.txt", insert(1, line), ':1 must be path, "word", not')


def test_words_are_drawn_anew_each_time(trees: Path) -> None:
    examples = read(trees, "rendered_text")
    drawn = examples[0]["image"]

    assert [e["answer"] for e in read(trees, "rendered_text")] == [e["answer"] for e in examples]
    words = {e["answer"].lower() for e in examples}
    assert words >= {"tiger", "lamp", "exit", "50% off"}
    assert any(word[0].isdigit() for word in words)
    assert any(word.startswith(("$", "€")) for word in words)
    assert isinstance(drawn, DrawnWord)
    one, again, other = (drawn.example(random.Random(seed)).inputs["image"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_the_dev_pictures_stay(trees: Path) -> None:
    one, other = (read(trees, "rendered_text", "dev") for _ in range(2))

    assert len(one) == 200
    np.testing.assert_array_equal(one[7]["image"], other[7]["image"])


def test_all_drawings_can_be_seen(trees: Path) -> None:
    examples = read(trees, "rendered_text")

    for seed in range(200):
        pixels = examples[seed]["image"].example(random.Random(seed)).inputs["image"]
        assert (pixels.dtype, pixels.shape[2]) == (np.dtype(np.uint8), 3)
        assert min(pixels.shape[:2]) >= 4
        assert pixels.std() > 2


def test_damaged_and_tiny_photos_are_no_backgrounds(copy: Path) -> None:
    folder = copy / "rendered_text"
    (folder / "backgrounds" / "a.jpg").write_bytes(b"none")
    Image.new("RGB", (300, 1)).save(folder / "backgrounds" / "b.jpg")

    drawn = DATASETS["rendered_text"](folder).read("train")[0].inputs["image"]

    assert all(drawn.example(random.Random(seed)).inputs["image"].size for seed in range(20))


def test_fonts_are_needed(copy: Path) -> None:
    fonts = copy / "rendered_text" / "fonts"
    assert [draws_ascii(path) for path in sorted(fonts.rglob("*.ttf"))] == [False, True]
    for path in fonts.rglob("default.ttf"):
        path.unlink()

    with pytest.raises(MissingError, match="holds no font"):
        DATASETS["rendered_text"](copy / "rendered_text").read("train")


def test_real_data_has_the_counts_of_its_description(shared: Path) -> None:
    folder = shared / "data" / "scene_words"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")

    counts = {
        kind: [len(DATASETS[kind](folder).read(split)) for split in ("train", "dev")]
        for kind in ("icdar2015_words", "iiit5k_words")
    }
    assert counts == {"icdar2015_words": [4068, 400], "iiit5k_words": [1754, 246]}
