"""Rows of one task in a running batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from omninet.model.network.attention import Source
from omninet.model.network.kv_cache import KeyValueCache
from omninet.model.network.layers import LayerMemory, MemoryMasks
from omninet.model.network.placing import Placing


@dataclass
class Cohort:
    """Rows of one task that are decoded side by side, each with ``n`` hypotheses that share its memory.

    It is a Part of the decoder. Rows need not stand at the same position: they join and leave at any step. A row that
    leaves frees its place for another one, so that nothing else has to be copied; until then the place is decoded in
    vain.

    Attributes:
        positions: outputs that the row in each place has decoded so far; None where the place is free.
        cache: of their keys and values.
    """

    task: str
    n: int
    memories: Sequence[LayerMemory]
    masks: MemoryMasks
    cache: KeyValueCache
    positions: list[int | None]

    @property
    def b(self) -> int:
        """Places."""
        return len(self.positions)

    @property
    def kind(self) -> tuple[str, int, int]:
        """Task, hypotheses of a row and spatial cells of its memory: what the rows have in common."""
        return self.task, self.n, self.masks.frame.shape[1]

    def seen(self, slot: int, keys: Tensor, values: Tensor) -> Source:
        """As a Part: the hypotheses and their forebears."""
        return self.cache.append(slot, keys, values)

    def follow(self, parents: Tensor) -> None:
        """Let each hypothesis go on from another one of its row; parents (b, n)."""
        self.cache.follow(parents)

    def move_on(self) -> None:
        """Note that every row has decoded one more output."""
        self.positions = [None if position is None else position + 1 for position in self.positions]

    def leave(self, places: Iterable[int]) -> None:
        """Free places."""
        for place in places:
            self.positions[place] = None

    def select(self, places: Sequence[int]) -> None:
        """Keep the given places, in the given order, and no others."""
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
        """Add the rows of a cohort that has decoded nothing; returns the place of each.

        Raises:
            ValueError: it has, or it is of another kind.
        """
        if other.kind != self.kind or any(other.positions):
            raise ValueError(f"rows {other.kind} at {other.positions} cannot join {self.kind}")
        free = [place for place, position in enumerate(self.positions) if position is None][: other.b]
        put = Placing(torch.tensor(free, dtype=torch.long, device=self.masks.frame.device), other.b)
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


def _put(pair: Pair, other: Pair, put: Placing) -> Pair:
    return put(pair[0], other[0]), put(pair[1], other[1])
