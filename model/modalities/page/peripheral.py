"""Page peripheral: convolutions over a tile; every cell of 8 x 8 pixels is a spatial vector of one time step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.modalities.line.peripheral import MIDDLE, RANGE, Convolution
from omninet.model.modalities.page.config import PageConfig
from omninet.model.modalities.peripheral import Peripheral

AT_ONCE = 4  # tiles that are encoded together in evaluation mode


class PagePeripheral(Peripheral):
    """Encodes tiles: uint8 (b, 3, height, width) -> (b, 1, s, d), with a cell for each 8 x 8 pixels.

    Cells of 16 and 32 pixels, which see long words whole, are added to them, as in a feature pyramid (Lin et al. 2017).
    """

    def __init__(self, config: PageConfig, d_model: int) -> None:
        super().__init__(config, d_model)
        c = config.channels
        self.fine = nn.Sequential(
            Convolution(3, c // 2, stride=(2, 2)),
            Convolution(c // 2, c // 2, stride=(2, 2)),
            Convolution(c // 2, c, stride=(2, 2)),
            Convolution(c, c),
            Convolution(c, c),
        )
        self.middle = nn.Sequential(
            Convolution(c, 3 * c // 2, stride=(2, 2)), *(Convolution(3 * c // 2, 3 * c // 2) for _ in range(2))
        )
        self.coarse = nn.Sequential(
            Convolution(3 * c // 2, 2 * c, stride=(2, 2)), *(Convolution(2 * c, 2 * c) for _ in range(3))
        )
        self.from_coarse = nn.Conv2d(2 * c, 3 * c // 2, 1)
        self.from_middle = nn.Conv2d(3 * c // 2, c, 1)
        self.joined = Convolution(c, c)
        self.projection = nn.Linear(c, d_model)

    @staticmethod
    def collate(rows: Sequence[np.ndarray]) -> Tensor:
        """Stack tiles, uint8 (3, height, width)."""
        return torch.stack([torch.as_tensor(row) for row in rows])

    def forward(self, batch: Tensor, moves: bool = True) -> tuple[Tensor, None]:
        """Encode tiles (b, 3, height, width) to (b, 1, s, d), row by row; nothing is padded."""
        if not self.training and len(batch) > AT_ONCE:  # the tiles of a large picture need much memory together
            parts = [batch[i : i + AT_ONCE] for i in range(0, len(batch), AT_ONCE)]
            return torch.cat([self(part, moves)[0] for part in parts]), None
        fine: Tensor = self.fine((batch.to(self.from_middle.weight.dtype) - MIDDLE) / RANGE)
        middle: Tensor = self.middle(fine)
        middle = middle + _enlarged(self.from_coarse(self.coarse(middle)), middle)
        maps: Tensor = self.joined(fine + _enlarged(self.from_middle(middle), fine))
        return self.projection(maps.flatten(2).transpose(1, 2))[:, None], None


def _enlarged(coarse: Tensor, fine: Tensor) -> Tensor:
    """Interpolate maps (b, c, h, w) to the height and width of ``fine``."""
    return functional.interpolate(coarse, fine.shape[-2:], mode="bilinear")
