"""Views of a photo: what each kind shows, and what is changed in them at random."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from omninet.training.distill.views import GREY, Kind, jitter, view


def ramp(height: int, width: int) -> Tensor:
    """Brighter to the right in red, downwards in green; blue all over."""
    red = torch.linspace(0, 255, width).expand(height, width)
    green = torch.linspace(0, 255, height)[:, None].expand(height, width)
    return torch.stack((red, green, torch.full((height, width), 200.0))).to(torch.uint8)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize(("height", "width"), [(80, 200), (200, 80), (64, 64), (1, 300), (5, 5)])
def test_every_view_is_a_square(kind: Kind, height: int, width: int) -> None:
    shown = view(ramp(height, width), kind, 64, 0.25, seed=1)

    assert (shown.shape, shown.dtype) == ((3, 64, 64), torch.uint8)


def test_a_squashed_view_shows_the_whole_photo() -> None:
    shown = view(ramp(60, 150), "squash", 64, 0.25, seed=1).int()

    assert shown[0, :, 0].max() < 8
    assert shown[0, :, -1].min() > 247
    assert shown[1, 0].max() < 8
    assert shown[1, -1].min() > 247


def test_a_padded_view_shows_the_whole_photo_with_grey_bars() -> None:
    shown = view(ramp(32, 64), "pad", 64, 0.25, seed=1).int()

    assert (shown[:, :16] == GREY).all()
    assert (shown[:, 48:] == GREY).all()
    assert torch.equal(shown[:, 16:48], ramp(32, 64).int())


def test_a_crop_is_a_part() -> None:
    shown = [view(ramp(150, 150), "crop", 64, 0.25, seed).float() for seed in range(200)]

    sides = [((s[0].max() - s[0].min()) / 255, (s[1].max() - s[1].min()) / 255) for s in shown]
    areas = torch.tensor([float(w * h) for w, h in sides])
    ratios = torch.tensor([float(w / h) for w, h in sides])
    assert 0.2 < areas.min() < 0.32
    assert 0.9 < areas.max() < 1.01
    assert 0.7 < ratios.min() < 0.85
    assert 1.2 < ratios.max() < 1.4
    assert torch.equal(shown[3], view(ramp(150, 150), "crop", 64, 0.25, seed=3).float())


def test_without_a_fitting_crop_the_whole_photo_is_shown() -> None:
    subsample = ramp(4, 400)

    assert torch.equal(view(subsample, "crop", 64, 0.99, seed=0), view(subsample, "squash", 64, 0.99, seed=0))


def test_light_changes_by_no_more_than_is_allowed() -> None:
    grey = torch.full((100, 3, 64, 64), 100, dtype=torch.uint8)

    lit = jitter(grey, 0.2)

    assert lit.is_contiguous(memory_format=torch.channels_last)
    means = lit.mean((2, 3)) * 255
    assert means.min() >= 80 - 1e-3
    assert means.max() <= 120 + 1e-3
    assert means.std(1).min() > 0  # each channel has its own
    assert means.std() > 5


def test_pixels_stay_between_0_and_1() -> None:
    views = torch.stack([ramp(64, 64)] * 20)

    lit = jitter(views, 0.9)

    assert lit.min() >= 0
    assert lit.max() <= 1
    assert torch.allclose(jitter(views, 0.0), views / 255)
