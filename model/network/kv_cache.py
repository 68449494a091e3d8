"""Cache of the decoder for a running batch: keys and values of its self-attention, inputs of its convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from omninet.model.config import CNPConfig
from omninet.model.network.attention import Source
from omninet.model.network.layers import Place
from omninet.model.network.placement import Placement

INITIAL_COLUMNS = 32  # initial capacity of the cache, in columns


class KeyValueCache:
    """Keys and values of all hypotheses, with one column per step of the batch.

    A column holds the keys and values of all ``n`` hypotheses of a row. A mask selects the tokens that belong to the
    prefix of each hypothesis. Reordering hypotheses or adding a row therefore changes the mask only; no keys or values
    are copied. Causal convolutions keep their inputs in columns as well, and read them through the mask.

    Args:
        batch: rows.
        n: hypotheses per row.
        like: a tensor whose dtype and device the cache takes.

    Attributes:
        keys, values: (slots, b, h, columns * n, k), one slot for each decoder layer and recurrent step.
        mask: (b, n, columns * n), true at the tokens in the prefix of each hypothesis, the current token included.
        inputs: step of a convolution -> its inputs, (b, columns * n, d).
        first, column: the columns in use are ``first`` to ``column - 1``.
    """

    def __init__(self, config: CNPConfig, batch: int, n: int, like: Tensor) -> None:
        slots, room = config.decoder_layers * config.recurrent_steps, INITIAL_COLUMNS * n
        self.n = n
        self.keys = like.new_zeros(slots, batch, config.heads, room, config.d_key)
        self.values = like.new_zeros(slots, batch, config.heads, room, config.d_value)
        self.mask = torch.zeros(batch, n, room, dtype=torch.bool, device=like.device)
        self._own = torch.eye(n, dtype=torch.bool, device=like.device)  # each hypothesis sees itself
        self.inputs: dict[Place, Tensor] = {}
        self.first = self.column = 0

    def open_column(self, oldest: int) -> None:
        """Begin the column of a new step.

        Args:
            oldest: number of tokens of the longest row; columns before those are dropped.
        """
        self.first = self.column - oldest
        if self._end == self.mask.shape[2]:
            self._grow()
        self.mask[:, :, self._end : self._end + self.n] = self._own
        self.column += 1

    def append(self, slot: int, keys: Tensor, values: Tensor) -> Source:
        """Store the keys and values of the current column; return those of all columns in use, with the mask.

        Args:
            slot: decoder layer and recurrent step, counted from 0.
            keys, values: (b, h, n, k).
        """
        start, end = self.first * self.n, self._end
        self.store(slot, keys, values)
        window = self.keys[slot, :, :, start:end], self.values[slot, :, :, start:end]
        return Source(self.n, *window, self.mask[:, None, :, start:end])

    def before(self) -> Tensor:
        """Return the mask without the current column: (b, n, columns * n), of all columns that there is room for."""
        mask = self.mask.clone()
        mask[:, :, self._end - self.n : self._end] = False
        return mask

    def store(self, slot: int, keys: Tensor, values: Tensor) -> None:
        """Store the keys and values (b, h, n, k) of the current column; see ``append``."""
        end = self._end
        self.keys[slot, :, :, end - self.n : end] = keys
        self.values[slot, :, :, end - self.n : end] = values

    def slide(self, place: Place, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        """Store the inputs x (b, n, d) of a causal convolution; return its outputs at the current column, (b, n, d).

        Before the first token of a hypothesis there are zeros.

        Args:
            place: which run of which convolution this is.
            weight: (d, kernel).
        """
        b, n, d = x.shape
        if place not in self.inputs:
            self.inputs[place] = x.new_zeros(b, self.mask.shape[2], d)
        kept = self.inputs[place]
        kept[:, self._end - n : self._end] = x
        reach = range(self.column - 1, self.first - 1, -dilation)[: weight.shape[1]]  # the current column, then earlier
        columns = torch.tensor(reach, device=x.device)
        seen = kept.view(b, -1, n, d)[:, columns]
        chosen = self.mask.view(b, n, -1, n)[:, :, columns].to(x.dtype)
        return torch.einsum("bitj,btjd,dt->bid", chosen, seen, weight.flip(1)[:, : len(columns)])

    def reorder(self, parents: Tensor) -> None:
        """Let each hypothesis continue the prefix of another one of its row; parents (b, n)."""
        self.mask = self.mask.gather(1, parents[..., None].expand_as(self.mask))

    def select(self, rows: Tensor) -> None:
        """Keep only the given rows, in the given order."""
        self.keys, self.values, self.mask = self.keys[:, rows], self.values[:, rows], self.mask[rows]
        self.inputs = {place: kept[rows] for place, kept in self.inputs.items()}

    def join(self, put: Placement) -> None:
        """Add rows with empty prefixes."""
        self.mask[put.free] = False
        if put.extra:
            self.keys, self.values = (functional.pad(x, (0, 0) * 3 + (0, put.extra)) for x in (self.keys, self.values))
            self.mask = functional.pad(self.mask, (0, 0, 0, 0, 0, put.extra))
            self.inputs = {
                place: functional.pad(kept, (0, 0, 0, 0, 0, put.extra)) for place, kept in self.inputs.items()
            }

    @property
    def _end(self) -> int:
        return self.column * self.n

    def _grow(self) -> None:
        """Free the dropped columns; double the capacity if more than half of it is still in use."""
        start, end = self.first * self.n, self._end
        room = self.mask.shape[2] * (2 if 2 * (end - start) > self.mask.shape[2] else 1)
        grown: Sequence[Tensor] = [x.new_zeros(*x.shape[:3], room, x.shape[4]) for x in (self.keys, self.values)]
        for new, old in zip(grown, (self.keys, self.values), strict=True):
            new[:, :, :, : end - start] = old[:, :, :, start:end]
        self.keys, self.values = grown
        self.mask = functional.pad(self.mask[:, :, start:end], (0, room - (end - start)))
        self.inputs = {
            place: functional.pad(kept[:, start:end], (0, 0, 0, room - (end - start)))
            for place, kept in self.inputs.items()
        }
        self.first, self.column = 0, self.column - self.first
