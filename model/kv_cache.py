"""Keys and values of the positions that the decoder has been through."""

from __future__ import annotations

import torch
from torch import Tensor

from model.config import CNPConfig


class KeyValueCache:
    """Preallocated keys and values, one slot for each run of a decoder layer.

    Rows need not stand at the same position, so that rows may join and leave a running batch.

    Args:
        like: any tensor of the type and device to allocate.
    """

    def __init__(self, config: CNPConfig, batch: int, length: int, like: Tensor) -> None:
        slots = config.decoder_layers * config.recurrent_steps
        self.keys = like.new_zeros(slots, batch, config.heads, length, config.d_key)
        self.values = like.new_zeros(slots, batch, config.heads, length, config.d_value)

    @property
    def length(self) -> int:
        """Positions there is room for."""
        return self.keys.shape[3]

    def append(self, slot: int, keys: Tensor, values: Tensor, positions: Tensor, reach: int) -> tuple[Tensor, Tensor]:
        """Store one position of every row and return all that may be seen.

        Args:
            keys, values: (b, h, 1, k).
            positions: where each row stands, (b,).
            reach: one more than the largest position.

        Returns:
            keys and values, each (b, h, reach, k).
        """
        if reach > self.length:
            raise ValueError(f"the cache has room for {self.length} positions, not {reach}")
        rows = torch.arange(len(positions), device=positions.device)
        self.keys[slot, rows, :, positions] = keys[:, :, 0]
        self.values[slot, rows, :, positions] = values[:, :, 0]
        return self.keys[slot, :, :, :reach], self.values[slot, :, :, :reach]

    def select(self, rows: Tensor) -> None:
        """Keep the given rows, in the given order."""
        self.keys = self.keys[:, rows]
        self.values = self.values[:, rows]
