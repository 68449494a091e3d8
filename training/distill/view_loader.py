"""Views of packed photos by number, and the order in which training steps use them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from omninet.training.distill.config import DistillConfig
from omninet.training.distill.pack import Pack
from omninet.training.distill.views import view

THREADS = 4


class ViewLoader:
    """Decodes views of photos; view ``v`` of photo ``p`` has the number ``p * kinds + v``."""

    def __init__(self, pack: Pack, config: DistillConfig) -> None:
        self.pack = pack
        self.config = config.views
        self.kinds = len(config.views.kinds)
        self._threads = ThreadPoolExecutor(THREADS)

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.pack) * self.kinds

    def __call__(self, numbers: Tensor) -> Tensor:
        """Decode the views of these numbers: (b,) -> uint8 (b, 3, size, size)."""
        return torch.stack(list(self._threads.map(self._view, numbers.tolist())))

    def _view(self, number: int) -> Tensor:
        photo, kind = divmod(number, self.kinds)
        return view(self.pack.pixels(photo), self.config.kinds[kind], self.config.size, self.config.crop, seed=number)


def numbers_of(step: int, photos: Tensor, config: DistillConfig) -> Tensor:
    """Return the numbers of a step's views, (batch,): each epoch has all photos once, in a new order and another view.

    Args:
        photos: numbers of the training photos, (n,).
    """
    count, kinds = len(photos), len(config.views.kinds)
    epoch, start = divmod(step * config.batch, count)
    found = []
    for e in range(epoch, epoch + 1 + (start + config.batch - 1) // count):
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed_of(config, e)))
        found.append(photos[order] * kinds + (order + e) % kinds)
    return torch.cat(found)[start : start + config.batch]


def seed_of(config: DistillConfig, number: int) -> int:
    """Return the random seed of a step or an epoch, which makes saved generator states unnecessary."""
    return config.seed * 1_000_003 + number
