"""Keys and values of the outputs that a running batch has decoded."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from omninet.model.config import CNPConfig
from omninet.model.network.attention import Source
from omninet.model.network.placing import Placing

ROOM = 32  # outputs that there is room for at first


class KeyValueCache:
    """One slot for each run of a decoder layer, one column for each step of the batch.

    A row's ``n`` hypotheses lie side by side in a column, so that all of them can be attended to at once; a mask tells
    each of them which are its own forebears. So neither a row that joins late nor a hypothesis that follows another one
    moves anything but the mask.

    Args:
        batch: rows.
        n: hypotheses of a row.
        like: any tensor of the type and device to allocate.

    Attributes:
        keys, values: (slots, b, h, columns * n, k).
        seen: (b, n, columns * n), the columns before this one and this one.
        first, column: the columns that are in use, from ``first`` to below ``column``.
    """

    def __init__(self, config: CNPConfig, batch: int, n: int, like: Tensor) -> None:
        slots, room = config.decoder_layers * config.recurrent_steps, ROOM * n
        self.n = n
        self.keys = like.new_zeros(slots, batch, config.heads, room, config.d_key)
        self.values = like.new_zeros(slots, batch, config.heads, room, config.d_value)
        self.seen = torch.zeros(batch, n, room, dtype=torch.bool, device=like.device)
        self.first = self.column = 0

    def open(self, oldest: int) -> None:
        """Begin a column.

        Args:
            oldest: outputs that the row with the most of them has decoded; earlier columns are forgotten.
        """
        self.first = self.column - oldest
        if self._end == self.seen.shape[2]:
            self._make_room()
        self.seen[:, :, self._end : self._end + self.n] = torch.eye(self.n, dtype=torch.bool, device=self.seen.device)
        self.column += 1

    def append(self, slot: int, keys: Tensor, values: Tensor) -> Source:
        """Store the outputs of the column that is open, and return all that may be seen.

        Args:
            keys, values: (b, h, n, k).
        """
        start, end = self.first * self.n, self._end
        self.keys[slot, :, :, end - self.n : end] = keys
        self.values[slot, :, :, end - self.n : end] = values
        window = self.keys[slot, :, :, start:end], self.values[slot, :, :, start:end]
        return Source(self.n, *window, self.seen[:, None, :, start:end])

    def follow(self, parents: Tensor) -> None:
        """Let each hypothesis go on from another one of its row; parents (b, n)."""
        self.seen = self.seen.gather(1, parents[..., None].expand_as(self.seen))

    def select(self, rows: Tensor) -> None:
        """Keep the given rows, in the given order."""
        self.keys, self.values, self.seen = self.keys[:, rows], self.values[:, rows], self.seen[rows]

    def join(self, put: Placing) -> None:
        """Add rows that have decoded nothing."""
        self.seen[put.free] = False
        if put.behind:
            self.keys, self.values = (functional.pad(x, (0, 0) * 3 + (0, put.behind)) for x in (self.keys, self.values))
            self.seen = functional.pad(self.seen, (0, 0, 0, 0, 0, put.behind))

    @property
    def _end(self) -> int:
        return self.column * self.n

    def _make_room(self) -> None:
        """Drop the columns that are forgotten; where that is too little, take twice the room."""
        start, end = self.first * self.n, self._end
        room = self.seen.shape[2] * (2 if 2 * (end - start) > self.seen.shape[2] else 1)
        grown: Sequence[Tensor] = [x.new_zeros(*x.shape[:3], room, x.shape[4]) for x in (self.keys, self.values)]
        for new, old in zip(grown, (self.keys, self.values), strict=True):
            new[:, :, :, : end - start] = old[:, :, :, start:end]
        self.keys, self.values = grown
        self.seen = functional.pad(self.seen[:, :, start:end], (0, room - (end - start)))
        self.first, self.column = 0, self.column - self.first
