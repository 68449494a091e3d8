"""Frames to the square that the backbone sees."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from omninet.model.modalities.vision.config import Framing, Treatment
from omninet.model.modalities.vision.fit import GREY, fit

LEFT, MIDDLE, RIGHT = 10, 120, 230


def stripes(height: int, width: int) -> np.ndarray:
    """Two frames whose left, middle and right third differ, (2, 3, height, width)."""
    columns = np.full(width, MIDDLE, np.uint8)
    columns[: width // 3], columns[-(width // 3) :] = LEFT, RIGHT
    return np.broadcast_to(columns, (2, 3, height, width)).copy()


@pytest.mark.parametrize("treatment", ["squash", "crop", "pad"])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 96), (96, 48), (7, 5), (33, 32), (1, 300), (300, 1)])
def test_every_treatment_gives_the_square(treatment: Treatment, height: int, width: int) -> None:
    fitted = fit(stripes(height, width), Framing(treatment), 32)

    assert fitted.shape == (2, 3, 32, 32)
    assert fitted.dtype == np.uint8


@pytest.mark.parametrize("treatment", ["squash", "crop", "pad"])
def test_a_picture_of_the_right_size_is_left_alone(treatment: Treatment) -> None:
    frames = np.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).astype(np.uint8)

    assert np.array_equal(fit(frames, Framing(treatment), 32), frames)


def test_squash_keeps_everything() -> None:
    row = fit(stripes(48, 96), Framing("squash"), 32)[0, 0, 16]

    assert row[[1, 16, 30]].tolist() == [LEFT, MIDDLE, RIGHT]


def test_crop_keeps_the_middle() -> None:
    fitted = fit(stripes(48, 144), Framing("crop"), 32)

    assert (fitted[:, :, :, 2:-2] == MIDDLE).all()


@pytest.mark.parametrize("turned", [False, True])
def test_pad_keeps_everything_between_grey_bars(turned: bool) -> None:
    frames = stripes(48, 96).swapaxes(-1, -2) if turned else stripes(48, 96)

    fitted = fit(frames, Framing("pad"), 32)
    fitted = fitted.swapaxes(-1, -2) if turned else fitted

    assert (fitted[:, :, :8] == GREY).all()
    assert (fitted[:, :, -8:] == GREY).all()
    assert fitted[0, 0, 16, [1, 16, 30]].tolist() == [LEFT, MIDDLE, RIGHT]


def test_scaling_down_averages() -> None:
    # One-pixel stripes of black and white: without antialiasing they would stay, or vanish to one of the two.
    frames = np.zeros((1, 3, 64, 64), np.uint8)
    frames[..., ::2] = 254

    inner = fit(frames, Framing("squash"), 16)[..., 1:-1].astype(int)

    assert np.abs(inner - 127).max() <= 2


@pytest.mark.parametrize("treatment", ["squash", "crop", "pad"])
def test_a_long_thin_picture_takes_no_more_memory_than_it_has(treatment: Treatment) -> None:
    # Scaled to height 32 first, it would be 32 x 320,000,000.
    fitted = fit(np.zeros((1, 3, 1, 10_000_000), np.uint8), Framing(treatment), 32)

    assert fitted.shape == (1, 3, 32, 32)


def through_pillow(frame: np.ndarray, side: int, size: int) -> np.ndarray:
    """As torchvision's transforms do it with a picture of Pillow's: the whole is scaled, then its middle is cut out."""
    height, width = frame.shape[-2:]
    scaled = (side, int(side * height / width)) if width < height else (int(side * width / height), side)
    picture = Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0))).resize(scaled, Image.Resampling.BILINEAR)
    left, top = (round((length - size) / 2) for length in scaled)
    window = picture.crop((left, top, left + size, top + size))
    return np.array(window).transpose(2, 0, 1)


@pytest.mark.parametrize(("height", "width"), [(48, 96), (101, 67), (40, 37), (300, 451), (30, 200)])
def test_a_crop_is_that_of_the_whole_scaled_picture(height: int, width: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, height, width), dtype=np.uint8)

    fitted = fit(frames, Framing("crop", side=37), 32)

    wanted = np.stack([through_pillow(frame, 37, 32) for frame in frames])
    assert np.abs(fitted.astype(int) - wanted.astype(int)).max() <= 1


def test_a_window_in_the_corner_and_one_in_the_middle() -> None:
    frames = stripes(48, 96)

    whole = fit(frames, Framing(), 48)

    assert np.array_equal(fit(frames, Framing(side=48, window="corner"), 32), whole[..., :32, :32])
    assert np.array_equal(fit(frames, Framing(side=48), 32), whole[..., 8:40, 8:40])


def test_channels_in_the_other_order() -> None:
    frames = np.broadcast_to(np.arange(3, dtype=np.uint8)[None, :, None, None], (1, 3, 8, 8))

    assert fit(frames, Framing(channels="bgr"), 8)[0, :, 0, 0].tolist() == [2, 1, 0]
