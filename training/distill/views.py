"""Random views of pictures, the same for teacher and student."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from training.distill.config import Views

RATIO = (3 / 4, 4 / 3)  # of a crop's width to its height


def show(pictures: Tensor, rows: Tensor, config: Views) -> Tensor:
    """One view of each of the rows of ``pictures``: uint8 (n, 3, side, side) -> (b, 3, size, size) in [0, 1]."""
    crop = v2.Compose(
        [
            v2.RandomResizedCrop(config.size, scale=(config.crop, 1.0), ratio=RATIO, antialias=True),
            v2.RandomHorizontalFlip(),
        ]
    )
    crops = torch.stack([crop(pictures[row]) for row in rows])
    return _mix(_relight(crops.float() / 255, config.light), config.mixed)


def whole(pictures: Tensor, size: int) -> Tensor:
    """Pictures as they are: uint8 (n, 3, side, side) -> (n, 3, size, size) in [0, 1]."""
    resized: Tensor = functional.resize(pictures, [size, size], antialias=True)
    return resized.float() / 255


def _relight(views: Tensor, most: float) -> Tensor:
    """Another brightness for each view and channel, and another contrast for each view, (b, 3, size, size)."""
    b = len(views)
    gain = 1 + most * (2 * torch.rand(b, 3, 1, 1) - 1).to(views.device)
    contrast = 1 + most * (2 * torch.rand(b, 1, 1, 1) - 1).to(views.device)
    middle = views.mean((1, 2, 3), keepdim=True)
    return ((views - middle) * contrast + middle).mul_(gain).clamp_(0, 1)


def _mix(views: Tensor, share: float) -> Tensor:
    """Blend some of the views with their neighbour, in any proportion, (b, 3, size, size)."""
    b = len(views)
    own = torch.where(torch.rand(b) < share, torch.rand(b), torch.ones(b)).to(views.device)
    return views.roll(1, 0).lerp_(views, own[:, None, None, None])
