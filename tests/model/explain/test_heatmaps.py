"""Explanations as pictures."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from omninet.model.explain.explanation import Attention, Explanation
from omninet.model.explain.heatmaps import BAR, COLUMNS, FRAME, GAP, LEAST, MOST_FRAMES, PICTURE, TEXT, draw
from omninet.model.modalities.vision.config import Framed, Treatment

FRAMED = Framed("squash", 1.0, "middle")


def explanation(outputs: int, frames: int, cells: int = 4, framed: Framed = FRAMED) -> Explanation:
    """Each output looks at the cell, and the frame, of its number."""
    spatial = np.zeros((1, 1, outputs, frames * cells), np.float32)
    temporal = np.zeros((1, 1, outputs, frames), np.float32)
    for i in range(outputs):
        spatial[..., i, i % max(frames * cells, 1) : i % max(frames * cells, 1) + 1] = 1
        temporal[..., i, i % frames] = 1
    texts = tuple(f" word{i}" for i in range(outputs))
    side = math.isqrt(cells)
    attention = Attention(temporal, spatial, spatial[0, 0], grid=(side, side)) if cells else Attention(temporal, None)
    return Explanation(texts, frames, (), (), framed, attention)


def sheet(outputs: int, frames: int, cells: int = 4, framed: Framed = FRAMED) -> Image.Image:
    grey = np.full((frames, 3, 64, 64), 128, np.uint8)
    return Image.open(io.BytesIO(draw(grey, explanation(outputs, frames, cells, framed))))


def light(picture: Image.Image, left: int, top: int, side: int) -> np.ndarray:
    """Red of the middle of each of four cells."""
    pixels = np.asarray(picture)[top : top + side, left : left + side, 0]
    quarter = side // 4
    found: np.ndarray = pixels[quarter :: 2 * quarter, quarter :: 2 * quarter]
    return found


@pytest.mark.parametrize("outputs", [1, 3, COLUMNS + 2])
def test_a_picture_has_a_panel_for_each_output(outputs: int) -> None:
    picture = sheet(outputs, 1)

    columns, rows = min(outputs, COLUMNS), -(-outputs // COLUMNS)
    assert picture.format == "PNG"
    assert picture.size == (GAP + columns * (PICTURE + GAP), GAP + rows * (PICTURE + TEXT + GAP))
    for i in range(min(outputs, 4)):
        found = light(picture, GAP + i * (PICTURE + GAP), GAP, PICTURE)
        assert found.argmax() == i
        assert found.max() > 2 * np.delete(found.flatten(), i).max()


def test_a_video_has_a_strip_for_each_output() -> None:
    picture = sheet(2, 3)

    strip = TEXT + FRAME + 12 + GAP
    assert picture.size == (GAP + 3 * (FRAME + GAP), GAP + 2 * strip)
    bars = np.asarray(picture)[GAP + TEXT + FRAME + 6 :: strip, GAP + FRAME // 2 :: FRAME + GAP]
    assert (bars == (255, 96, 0)).all(-1)[:2, :3].tolist() == [[True, False, False], [False, True, False]]
    assert light(picture, GAP, GAP + TEXT, FRAME).argmax() == 0


@pytest.mark.parametrize(
    ("treatment", "aspect", "size"),
    [
        ("squash", 1.6, (PICTURE, 100)),
        ("squash", 0.5, (PICTURE // 2, PICTURE)),
        ("squash", 100.0, (PICTURE, LEAST)),
        ("crop", 1.6, (PICTURE, PICTURE)),
        ("pad", 1.6, (PICTURE, PICTURE)),
    ],
)
def test_panels_have_the_proportions_of_the_picture(treatment: Treatment, aspect: float, size: tuple[int, int]) -> None:
    width, height = sheet(1, 1, framed=Framed(treatment, 1.0, "middle", aspect)).size

    assert (width - 2 * GAP, height - 2 * GAP - TEXT) == size


def test_many_frames_are_in_rows() -> None:
    picture = sheet(2, MOST_FRAMES + 4, framed=Framed("squash", 1.0, "middle", 1.5))

    assert picture.size == (GAP + 8 * (FRAME + GAP), GAP + 2 * (TEXT + 2 * (64 + BAR + GAP)))


def test_without_cells_the_picture_is_shown() -> None:
    assert (light(sheet(1, 1, cells=0), GAP, GAP, PICTURE) == 128).all()


def test_a_long_output_is_cut() -> None:
    grey, one = np.full((1, 3, 64, 64), 128, np.uint8), explanation(1, 1)
    long = Explanation(("x" * 500,), 1, (), (), FRAMED, one.attention)

    assert Image.open(io.BytesIO(draw(grey, long))).size == sheet(1, 1).size
