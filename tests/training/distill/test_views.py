"""Random views: what they keep of a picture, and what they change."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.training.distill.conftest import make_config, make_pictures
from training.distill.config import Views
from training.distill.views import show, whole

PLAIN = Views(size=48, crop=1.0, light=0.0, mixed=0.0)


def views_of(pictures: Tensor, config: Views, seed: int = 0) -> Tensor:
    """A view of each."""
    torch.manual_seed(seed)
    return show(pictures, torch.arange(len(pictures)), config)


@pytest.mark.parametrize("mixed", [0.0, 1.0])
def test_views_are_pixels_between_0_and_1(mixed: float) -> None:
    pictures = torch.cat((make_pictures(20), torch.full((4, 3, 64, 64), 255, dtype=torch.uint8)))

    views = views_of(pictures, Views(size=48, crop=0.2, light=0.9, mixed=mixed))

    assert (views.shape, views.dtype) == ((24, 3, 48, 48), torch.float32)
    assert views.min() >= 0
    assert views.max() <= 1
    assert views.std() > 0.1


def test_the_seed_decides() -> None:
    views = make_config().views
    first, again, other = (views_of(make_pictures(8), views, seed) for seed in (0, 0, 1))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_rows_are_shown_in_their_order() -> None:
    pictures = (torch.arange(10, dtype=torch.uint8) * 20)[:, None, None, None].expand(10, 3, 64, 64)

    views = show(pictures, torch.tensor([7, 0, 7, 3]), PLAIN)

    assert torch.allclose(views, torch.tensor([140, 0, 140, 60])[:, None, None, None] / 255)


def test_half_of_them_are_mirrored() -> None:
    pictures = torch.zeros(60, 3, 64, 64, dtype=torch.uint8)
    pictures[..., 32:] = 255

    views = views_of(pictures, PLAIN.model_copy(update={"crop": 0.9}))

    mirrored = views[..., :24].mean((1, 2, 3)) > views[..., 24:].mean((1, 2, 3))
    assert 20 < int(mirrored.sum()) < 40


def test_crops_show_less_of_a_picture() -> None:
    """The further in, the brighter: a small crop has a mean of its own."""
    ramp = torch.linspace(0, 255, 64).to(torch.uint8).expand(50, 3, 64, 64)

    def spread(crop: float) -> float:
        return float(views_of(ramp, PLAIN.model_copy(update={"crop": crop})).mean((1, 2, 3)).std())

    assert spread(0.1) > 3 * spread(0.9)


def test_light_changes_by_no_more_than_is_allowed() -> None:
    grey = torch.full((100, 3, 64, 64), 100, dtype=torch.uint8)

    views = views_of(grey, PLAIN.model_copy(update={"light": 0.2}))

    means = views.mean((2, 3)) * 255
    assert means.min() >= 80 - 1e-3
    assert means.max() <= 120 + 1e-3
    assert means.std(1).min() > 0  # each channel has its own
    assert means.std() > 5


def test_mixing_blends_a_view_with_its_neighbour() -> None:
    pictures = torch.zeros(40, 3, 64, 64, dtype=torch.uint8)
    pictures[::2] = 255  # each black one beside a white one

    plain, half, all_of_them = (
        views_of(pictures, PLAIN.model_copy(update={"mixed": share})).mean((1, 2, 3)) for share in (0.0, 0.5, 1.0)
    )

    assert set(plain.tolist()) == {0, 1}
    assert 10 <= int(((half > 0) & (half < 1)).sum()) <= 30
    assert bool(((all_of_them > 0) & (all_of_them < 1)).all())


def test_whole_pictures() -> None:
    pictures = make_pictures(3)

    views = whole(pictures, 64)

    assert torch.equal(views, pictures / 255)
    assert whole(pictures, 32).shape == (3, 3, 32, 32)
    assert torch.allclose(whole(pictures, 32).mean((2, 3)), views.mean((2, 3)), atol=0.01)
