"""Squares for the backbone, as tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from omninet.model.modalities.vision.config import Framing
from omninet.model.modalities.vision.fit import fit


def fit_tensor(frames: Tensor, framing: Framing, size: int) -> Tensor:
    """Turn uint8 RGB frames (t, 3, height, width) into squares (t, 3, size, size), as serving does."""
    return torch.from_numpy(fit(frames.numpy(), framing, size))
