"""Rows of one task that are decoded together in a running batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from omninet.model.network.attention import Source
from omninet.model.network.kv_cache import KeyValueCache
from omninet.model.network.layers import LayerMemory, MemoryMasks, Place
from omninet.model.network.placement import Placement


@dataclass
class Cohort:
    """Rows of one task that are decoded together, each with ``n`` hypotheses that share the row's memory.

    Implements ``Part``. Rows may be at different positions: they join and leave between steps (continuous batching). A
    row that leaves frees its place in the batch for another row, so that no other row is copied. A free place is still
    computed; its results are ignored.

    Attributes:
        n: hypotheses per row.
        positions: number of tokens decoded by the row in each place; None if the place is free.
        derived: what a decoder derives from memories and masks; None after they have changed.
        cache: self-attention keys and values of the decoded tokens.
    """

    task: str
    n: int
    memories: Sequence[LayerMemory]
    masks: MemoryMasks
    cache: KeyValueCache
    positions: list[int | None]
    derived: Any = None

    @property
    def b(self) -> int:
        """Number of places, free ones included."""
        return len(self.positions)

    @property
    def kind(self) -> tuple[str, int, int]:
        """Task, hypotheses per row and length P of the spatial cache; equal for all rows of a cohort."""
        return self.task, self.n, self.masks.frame.shape[1]

    def self_source(self, slot: int, keys: Tensor, values: Tensor) -> Source:
        """Cache the keys and values of this step and return them with those of the earlier steps; see Part."""
        return self.cache.append(slot, keys, values)

    def slide(self, place: Place, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        """Convolve over the inputs of this step and the cached ones of the earlier steps; see Part."""
        return self.cache.slide(place, x, weight, dilation)

    def reorder(self, parents: Tensor) -> None:
        """Reorder the hypotheses of each row: hypothesis i continues hypothesis ``parents[:, i]``; parents (b, n)."""
        self.cache.reorder(parents)

    def advance(self) -> None:
        """Count one more decoded token in every row."""
        self.positions = [None if position is None else position + 1 for position in self.positions]

    def leave(self, places: Iterable[int]) -> None:
        """Free the places of rows that have ended."""
        for place in places:
            self.positions[place] = None

    def select(self, places: Sequence[int]) -> None:
        """Keep only the given places, in the given order."""
        self.derived = None
        index = torch.tensor(places, device=self.masks.frame.device)
        self.memories = [
            LayerMemory(_pick(m.temporal, index), m.spatial and _pick(m.spatial, index)) for m in self.memories
        ]
        masks = self.masks
        self.masks = MemoryMasks(
            masks.temporal[index], masks.spatial[index], masks.has_spatial[index], masks.frame[index]
        )
        self.cache.select(index)
        self.positions = [self.positions[i] for i in places]

    def join(self, other: Cohort) -> list[int]:
        """Add the rows of another cohort and return the place of each.

        Raises:
            ValueError: the other cohort has already decoded tokens, or its kind is different.
        """
        if other.kind != self.kind or any(other.positions):
            raise ValueError(f"rows {other.kind} at {other.positions} cannot join {self.kind}")
        free = [place for place, position in enumerate(self.positions) if position is None][: other.b]
        self.derived = None
        put = Placement(torch.tensor(free, dtype=torch.long, device=self.masks.frame.device), other.b)
        self.memories = [
            LayerMemory(_put(a.temporal, b.temporal, put), a.spatial and b.spatial and _put(a.spatial, b.spatial, put))
            for a, b in zip(self.memories, other.memories, strict=True)
        ]
        mine, new = self.masks, other.masks
        self.masks = MemoryMasks(
            put(mine.temporal, new.temporal),
            put(mine.spatial, new.spatial),
            put(mine.has_spatial, new.has_spatial),
            put(mine.frame, new.frame),
        )
        self.cache.join(put)
        places = [*free, *range(self.b, self.b + other.b - len(free))]
        self.positions += [None] * (other.b - len(free))
        for place in places:
            self.positions[place] = 0
        return places


Pair = tuple[Tensor, Tensor]


def _pick(pair: Pair, index: Tensor) -> Pair:
    return pair[0][index], pair[1][index]


def _put(pair: Pair, other: Pair, put: Placement) -> Pair:
    return put(pair[0], other[0]), put(pair[1], other[1])
