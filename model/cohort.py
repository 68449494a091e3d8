"""Rows of one task in a running batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model.attention import Source
from model.kv_cache import KeyValueCache
from model.layers import LayerMemory, MemoryMasks


@dataclass
class Cohort:
    """Rows of one task that are decoded side by side, each with ``n`` hypotheses that share its memory.

    It is a Part of the decoder. Rows need not stand at the same position: they join and leave at any step.

    Attributes:
        positions: outputs that each row has decoded so far.
        cache: of their keys and values.
    """

    task: str
    n: int
    memories: Sequence[LayerMemory]
    masks: MemoryMasks
    cache: KeyValueCache
    positions: list[int]

    @property
    def b(self) -> int:
        """Rows."""
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

    def select(self, rows: Sequence[int]) -> None:
        """Keep the given rows, in the given order; the others leave."""
        index = torch.tensor(rows, device=self.masks.frame.device)
        self.memories = [
            LayerMemory(_pick(m.temporal, index), m.spatial and _pick(m.spatial, index)) for m in self.memories
        ]
        masks = self.masks
        self.masks = MemoryMasks(
            masks.temporal[index], masks.spatial[index], masks.has_spatial[index], masks.frame[index]
        )
        self.cache.select(index)
        self.positions = [self.positions[i] for i in rows]

    def join(self, other: Cohort) -> None:
        """Add the rows of a cohort that has decoded nothing.

        Raises:
            ValueError: it has, or it is of another kind.
        """
        if other.kind != self.kind or any(other.positions):
            raise ValueError(f"rows {other.kind} at {other.positions} cannot join {self.kind}")
        self.memories = [
            LayerMemory(_add(a.temporal, b.temporal), a.spatial and b.spatial and _add(a.spatial, b.spatial))
            for a, b in zip(self.memories, other.memories, strict=True)
        ]
        mine, new = self.masks, other.masks
        self.masks = MemoryMasks(
            stacked(mine.temporal, new.temporal),
            stacked(mine.spatial, new.spatial),
            stacked(mine.has_spatial, new.has_spatial),
            stacked(mine.frame, new.frame),
        )
        self.cache.join(other.b)
        self.positions = [*self.positions, *other.positions]


Pair = tuple[Tensor, Tensor]


def _pick(pair: Pair, index: Tensor) -> Pair:
    return pair[0][index], pair[1][index]


def _add(pair: Pair, other: Pair) -> Pair:
    return stacked(pair[0], other[0]), stacked(pair[1], other[1])


def stacked(x: Tensor, y: Tensor) -> Tensor:
    """The rows of both, one after another, each padded with zeros to the larger of their sizes."""
    sizes = [max(pair) for pair in zip(x.shape[1:], y.shape[1:], strict=True)]
    return torch.cat([_padded(x, sizes), _padded(y, sizes)])


def _padded(x: Tensor, sizes: Sequence[int]) -> Tensor:
    missing = [want - size for want, size in zip(sizes, x.shape[1:], strict=True)]
    return functional.pad(x, [n for size in reversed(missing) for n in (0, size)]) if any(missing) else x
