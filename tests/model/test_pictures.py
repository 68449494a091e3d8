"""Frames to the square that the backbone sees."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.peripherals.vision import Treatment, VisionConfig
from model.pictures import GREY, fit

LEFT, MIDDLE, RIGHT = 10, 120, 230


def config(treatment: Treatment, size: int = 32) -> VisionConfig:
    """Of a small square."""
    return VisionConfig(backbone="compact", size=size, treatment=treatment)


def stripes(height: int, width: int) -> Tensor:
    """Two frames whose left, middle and right third differ, (2, 3, height, width)."""
    columns = torch.full((width,), MIDDLE, dtype=torch.uint8)
    columns[: width // 3], columns[-(width // 3) :] = LEFT, RIGHT
    return columns.expand(2, 3, height, width).clone()


@pytest.mark.parametrize("treatment", ["squash", "crop", "pad"])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 96), (96, 48), (7, 5), (33, 32), (1, 300), (300, 1)])
def test_every_treatment_gives_the_square(treatment: Treatment, height: int, width: int) -> None:
    fitted = fit(stripes(height, width), config(treatment))

    assert fitted.shape == (2, 3, 32, 32)
    assert fitted.dtype == torch.uint8


@pytest.mark.parametrize("treatment", ["squash", "crop", "pad"])
def test_a_picture_of_the_right_size_is_left_alone(treatment: Treatment) -> None:
    frames = torch.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).to(torch.uint8)

    assert torch.equal(fit(frames, config(treatment)), frames)


def test_squash_keeps_everything() -> None:
    row = fit(stripes(48, 96), config("squash"))[0, 0, 16]

    assert row[[1, 16, 30]].tolist() == [LEFT, MIDDLE, RIGHT]


def test_crop_keeps_the_middle() -> None:
    fitted = fit(stripes(48, 144), config("crop"))

    assert (fitted[:, :, :, 2:-2] == MIDDLE).all()


@pytest.mark.parametrize("turned", [False, True])
def test_pad_keeps_everything_between_grey_bars(turned: bool) -> None:
    frames = stripes(48, 96).transpose(-1, -2) if turned else stripes(48, 96)

    fitted = fit(frames, config("pad"))
    fitted = fitted.transpose(-1, -2) if turned else fitted

    assert (fitted[:, :, :8] == GREY).all()
    assert (fitted[:, :, -8:] == GREY).all()
    assert fitted[0, 0, 16, [1, 16, 30]].tolist() == [LEFT, MIDDLE, RIGHT]


def test_scaling_down_averages() -> None:
    # One-pixel stripes of black and white: without antialiasing they would stay, or vanish to one of the two.
    frames = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    frames[..., ::2] = 254

    inner = fit(frames, config("squash", 16))[..., 1:-1].int()

    assert (inner - 127).abs().max() <= 2


@pytest.mark.parametrize("treatment", ["squash", "crop", "pad"])
def test_a_long_thin_picture_takes_no_more_memory_than_it_has(treatment: Treatment) -> None:
    # Scaled to height 32 first, it would be 32 x 320,000,000.
    fitted = fit(torch.zeros(1, 3, 1, 10_000_000, dtype=torch.uint8), config(treatment))

    assert fitted.shape == (1, 3, 32, 32)
