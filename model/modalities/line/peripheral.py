"""Line peripheral: convolutions over a picture of one line; every column of cells is a time step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.modalities.line.config import GROUPS, LineConfig
from omninet.model.modalities.peripheral import Peripheral

MIDDLE, RANGE = 127.5, 64.0  # of 8-bit pixels, to about a mean of 0 and a standard deviation of 1


class LinePeripheral(Peripheral):
    """Encodes pictures of lines: uint8 (b, 3, height, width) -> (b, t, s, d), one step for each column of cells."""

    def __init__(self, config: LineConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        last, first, middle = config.channels, config.channels // 4, config.channels // 2
        self.convolutions = nn.Sequential(
            Convolution(3, first, stride=(2, 2)),
            Convolution(first, middle),
            Convolution(middle, middle, stride=(2, 2)),
            Convolution(middle, last),
            Convolution(last, last, stride=(2, 1)),
            Convolution(last, last),
        )
        self.dropout = nn.Dropout(config.dropout)
        self.projection = nn.Linear(last, d_model)
        self.places = nn.Parameter(torch.zeros(config.cells, d_model))

    @staticmethod
    def collate(rows: Sequence[np.ndarray]) -> Tensor:
        """Stack pictures, uint8 (3, height, width)."""
        return torch.stack([torch.as_tensor(row) for row in rows])

    def forward(self, batch: Tensor, moves: bool = True) -> tuple[Tensor, None]:  # noqa: ARG002
        """Encode pictures (b, 3, height, width) to (b, t, s, d); nothing is padded."""
        x = (batch.to(self.places.dtype) - MIDDLE) / RANGE
        maps: Tensor = self.convolutions(x)
        cells = self.projection(self.dropout(maps.permute(0, 3, 2, 1)))
        return cells + self.places, None


class Convolution(nn.Module):
    """A convolution of 3 x 3, normalised over groups of channels, so that a row does not depend on its batch."""

    def __init__(self, given: int, made: int, stride: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.weights = nn.Conv2d(given, made, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.GroupNorm(GROUPS, made)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (b, given, height, width); the input is added where the shapes are equal."""
        y = functional.relu(self.norm(self.weights(x)))
        return x + y if x.shape == y.shape else y
