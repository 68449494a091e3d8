"""Which views a step shows."""

from __future__ import annotations

import pytest
import torch

from omninet.training.distill.view_loader import ViewLoader, numbers_of
from omninet.training.distill.views import view
from tests.training.distill.conftest import make_config


def test_views_have_numbers(loader: ViewLoader) -> None:
    assert len(loader) == 24

    first, second = loader(torch.tensor([10, 11]))

    pixels = loader.pack.pixels(5)
    assert torch.equal(first, view(pixels, "squash", 64, 0.5, seed=10))
    assert torch.equal(second, view(pixels, "crop", 64, 0.5, seed=11))


@pytest.mark.parametrize(("count", "batch"), [(10, 4), (3, 7), (4, 4), (1, 2)])
def test_every_epoch_shows_every_photo_once_and_every_two_every_view(count: int, batch: int) -> None:
    config = make_config(batch=batch)
    photos = torch.arange(count) + 5
    steps = [numbers_of(step, photos, config) for step in range(2 * count)]

    assert all(len(rows) == batch for rows in steps)
    epochs = torch.cat(steps).view(2 * batch, count)
    assert torch.equal((epochs // 2).sort(1).values, photos.expand(2 * batch, count))
    assert torch.equal(epochs[:2].flatten().sort().values, torch.arange(10, 10 + 2 * count))
    if count > 3:
        assert not torch.equal(epochs[0] // 2, epochs[2] // 2)
        assert not torch.equal(numbers_of(0, photos, make_config(batch=batch, seed=9)), steps[0])
