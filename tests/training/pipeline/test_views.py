"""Boxes and words that change with the view of a training picture."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from omninet.model.modalities.vision.config import VisionConfig
from omninet.training.data import Example
from omninet.training.pipeline.augment import augment
from omninet.training.pipeline.features import VIEWS, _view, read_views
from omninet.training.pipeline.views import View, seen_in

CONFIG = VisionConfig(backbone="compact", size=64)
BOX = (0.5, 0.4, 0.7, 0.8)


def example(phrase: str = "the dog on the left", *boxes: tuple[float, float, float, float]) -> Example:
    return Example("ground", {"image": Path("a.jpg"), "phrase": phrase}, truth=boxes or (BOX,))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Return a photo with a red thing in BOX."""
    pixels = np.full((100, 200, 3), 90, np.uint8)
    pixels[40:80, 100:140] = (250, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def found_box(square: torch.Tensor) -> np.ndarray:
    """Return the box of the red pixels in a square (3, size, size), in fractions."""
    rows, columns = np.nonzero(((square[0] > 170) & (square[1] < 45)).numpy())
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / square.shape[-1]


@pytest.mark.parametrize("number", range(VIEWS))
def test_boxes_lie_on_the_thing_in_every_stored_view(photo: Path, number: int) -> None:
    square = read_views(photo, CONFIG, False)[number, 0]

    moved = seen_in(example(), _view(photo, number, (100, 200)))

    assert moved is not None
    np.testing.assert_allclose(moved.truth[0], found_box(square), atol=2 / 64)


def test_boxes_lie_on_the_thing_in_random_views() -> None:
    frames = torch.full((1, 3, 100, 200), 90, dtype=torch.uint8)
    frames[0, :, 40:80, 100:140] = torch.tensor([250, 0, 0], dtype=torch.uint8)[:, None, None]
    seen = 0

    for seed in range(30):
        square, view = augment(frames, CONFIG, random.Random(seed))
        if (moved := seen_in(example(), view)) is not None:
            seen += 1
            red = square[0].float()
            rows, columns = np.nonzero((red[0] > red[1] + red[2]).numpy())
            found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 64
            np.testing.assert_allclose(moved.truth[0], found, atol=3 / 64)
    assert 5 < seen < 30


def test_a_box_that_is_mostly_cut_off_is_not_seen() -> None:
    view = View((0.6, 0.0, 1.0, 1.0))  # half of the box

    assert seen_in(example(), view) is None
    assert seen_in(example("a dog", BOX, (0.7, 0.0, 0.9, 0.5)), view) is None
    moved = seen_in(example("a dog", (0.5, 0.0, 1.0, 1.0)), view)
    assert moved is not None
    assert moved.truth == ((0.0, 0.0, 1.0, 1.0),)


def test_an_absent_thing_is_absent_in_every_view() -> None:
    absent = Example("ground", {"image": Path("a.jpg"), "phrase": "a cat"}, truth=())

    moved = seen_in(absent, View((0.6, 0.0, 1.0, 1.0), mirrored=True))

    assert moved is not None
    assert moved.truth == ()


@pytest.mark.parametrize(
    ("phrase", "mirrored"),
    [
        ("the dog on the left", "the dog on the right"),
        ("Left hand of the man to the right", "Right hand of the man to the left"),
        ("a brightly coloured right-handed bat", "a brightly coloured right-handed bat"),
    ],
)
def test_left_and_right_are_exchanged_in_a_mirror(phrase: str, mirrored: str) -> None:
    plain, moved = (seen_in(example(phrase), View(mirrored=value)) for value in (False, True))

    assert plain is not None
    assert moved is not None
    assert (plain.inputs["phrase"], moved.inputs["phrase"]) == (phrase, mirrored)
    assert plain.truth == (BOX,)
    np.testing.assert_allclose(moved.truth[0], (0.3, 0.4, 0.5, 0.8))
