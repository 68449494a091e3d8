"""Encoder and decoder layers, feed-forward block and position table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.network.attention import GatedAttention, MultiHeadAttention, Source, Weighed, joined, visible
from omninet.model.network.memory import Memory


def sinusoid_table(positions: int, width: int) -> Tensor:
    """Position table (positions + 1, width) of Vaswani et al. 2017; positions start at 1, row 0 is zero."""
    with torch.device("cpu"):  # no checkpoint has it, so that it must be there when weights are but announced
        columns, rows = torch.arange(width), torch.arange(positions + 1)
    angle = rows.double()[:, None] * 10000 ** (-2 * (columns // 2).double() / width)
    table = torch.where(columns % 2 == 0, angle.sin(), angle.cos())
    table[0] = 0
    return table.float()


def start_as_identity(linear: nn.Linear) -> None:
    """Let a square layer begin by changing nothing; of a wider input it passes the first part on."""
    width = linear.out_features
    nn.init.eye_(linear.weight[:, :width])
    nn.init.zeros_(linear.bias)


Losses = dict[str, Tensor]
"""Terms that layers add to the training loss, by name: scalars, of the size of a mean over outputs."""


def add_loss(losses: Losses | None, name: str, term: Tensor) -> None:
    """Add to the term of a name; without effect where no losses are asked for."""
    if losses is not None:
        losses[name] = losses[name] + term if name in losses else term


class FeedForward(nn.Module):
    """Two linear layers with residual and layer norm."""

    def __init__(self, d_model: int, d_hidden: int, dropout: float) -> None:
        super().__init__()
        self.expand = nn.Linear(d_model, d_hidden)
        self.contract = nn.Linear(d_hidden, d_model)
        self.norm = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, losses: Losses | None = None) -> Tensor:  # noqa: ARG002
        """(N, d) -> (N, d).

        Args:
            losses: a block in this place may add its own terms of the training loss to it (``add_loss``).
        """
        changed = self.dropout(self.contract(functional.relu(self.expand(x))))
        normed: Tensor = self.norm(changed + x)
        return normed


class EncoderLayer(nn.Module):
    """Layer of the TemporalEncoder (paper, Fig. 2 left).

    Args:
        feed_forward: (N, d) -> (N, d), as FeedForward.
    """

    def __init__(self, attention: MultiHeadAttention, feed_forward: nn.Module) -> None:
        super().__init__()
        self.attention = attention
        self.feed_forward = feed_forward

    def forward(self, x: Tensor, mask: Tensor | None, losses: Losses | None = None) -> Tensor:
        """x (b, t, d) and mask (b, t) -> (b, t, d), zero where the mask is false."""
        b, t, _ = x.shape
        seen = None if mask is None else visible(mask)[:, None, None, :]
        rows = None if mask is None else mask.flatten()
        flat = x.flatten(0, 1)
        queries, keys, values = self.own(flat)
        split = self.attention.split
        changed, _ = self.attention(flat, queries, [Source(t, split(keys, t), split(values, t), seen)])
        changed = self.feed_forward(hide(changed, rows), losses)
        return hide(changed, rows).view(b, t, -1)

    def own(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, d) -> queries, keys and values of the self-attention, each (N, h * k)."""
        return self.attention.query(x), self.attention.key(x), self.attention.value(x)


def hide(x: Tensor, rows: Tensor | None) -> Tensor:
    """x (N, d) with the rows of padding, where ``rows`` (N) is false, set to zero."""
    return x if rows is None else x * rows[:, None].to(x.dtype)


@dataclass(frozen=True)
class LayerMemory:
    """A memory as one decoder layer sees it: keys and values, each (b, h, R or P, k), computed once."""

    temporal: tuple[Tensor, Tensor]
    spatial: tuple[Tensor, Tensor] | None


@dataclass(frozen=True)
class MemoryMasks:
    """What the decoder's layers share of a memory.

    Attributes:
        temporal: (b, 1, 1, R).
        spatial: (b, 1, 1, P).
        has_spatial: rows with anything in the spatial cache, (b, 1).
        frame: as in Memory, (b, P).
    """

    temporal: Tensor
    spatial: Tensor
    has_spatial: Tensor
    frame: Tensor

    @classmethod
    def of(cls, memory: Memory) -> MemoryMasks:
        """The masks of ``memory``, safe for a softmax."""
        return cls(
            visible(memory.temporal_mask)[:, None, None, :],
            visible(memory.spatial_mask)[:, None, None, :],
            memory.spatial_mask.any(1, keepdim=True),
            memory.frame,
        )


class Part(Protocol):
    """Rows that are decoded side by side, with memories of one shape: b rows of n outputs."""

    @property
    def b(self) -> int:
        """Rows."""
        ...

    @property
    def n(self) -> int:
        """Outputs of a row that are decoded at once: positions, or hypotheses."""
        ...

    @property
    def memories(self) -> Sequence[LayerMemory]:
        """Of each layer."""
        ...

    @property
    def masks(self) -> MemoryMasks:
        """Of the memories."""
        ...

    def seen(self, slot: int, keys: Tensor, values: Tensor) -> Source:
        """What the outputs see of themselves and of those before them.

        Args:
            slot: which run of which layer this is, counted from 0.
            keys, values: of these outputs, (b, h, n, k).
        """
        ...


@dataclass(frozen=True)
class Prefix:
    """The Part of teacher forcing: every position at once.

    Attributes:
        causal: which positions are seen, (b or 1, 1, n, n).
    """

    b: int
    n: int
    memories: Sequence[LayerMemory]
    masks: MemoryMasks
    causal: Tensor

    def seen(self, slot: int, keys: Tensor, values: Tensor) -> Source:  # noqa: ARG002
        """Those that the causal mask shows."""
        return Source(self.n, keys, values, self.causal)


@dataclass(frozen=True)
class LayerAttention:
    """Attention of one run of a decoder layer.

    Attributes:
        self_attention, temporal: scores, (b, h, n, n) and (b, h, n, R); their softmax are the weights.
        spatial: weights, gated, (b, h, n, P); None where there is no spatial memory.
    """

    self_attention: Tensor
    temporal: Tensor
    spatial: Tensor | None


class DecoderLayer(nn.Module):
    """Masked self-attention, temporal attention, gated spatial attention (paper, Fig. 2 right).

    The three projections are the authors': the paper's figure leaves them out. No residual runs
    across them.

    Args:
        feed_forward: (N, d) -> (N, d), as FeedForward.
    """

    def __init__(
        self,
        self_attention: MultiHeadAttention,
        temporal_projection: nn.Linear,
        temporal_attention: MultiHeadAttention,
        spatial_projection: nn.Linear,
        spatial_attention: GatedAttention,
        output_projection: nn.Linear,
        feed_forward: nn.Module,
    ) -> None:
        super().__init__()
        self.self_attention = self_attention
        self.temporal_projection = temporal_projection
        self.temporal_attention = temporal_attention
        self.spatial_projection = spatial_projection
        self.spatial_attention = spatial_attention
        self.output_projection = output_projection
        self.feed_forward = feed_forward
        self._initialise()

    def _initialise(self) -> None:
        """Start where training is quick.

        The projections begin as identities, as if the residual ran across them. Half of the temporal heads
        begin by the likeness of positions, so that an output first looks at the step of its own number.
        """
        for projection in (self.temporal_projection, self.spatial_projection, self.output_projection):
            start_as_identity(projection)
        attention = self.temporal_attention
        rows = attention.heads // 2 * (attention.query.out_features // attention.heads)
        # Neighbouring positions differ in the quickest quarter of the sinusoids, and hardly elsewhere.
        quick = attention.query.in_features // 4
        with torch.no_grad():
            query = attention.query.weight[:rows]
            query[:, :quick] *= 2
            query[:, quick:] /= 2
            attention.key.weight[:rows] = query

    def remember(self, memory: Memory) -> LayerMemory:
        """Keys and values of a memory, the same at every position decoded from it."""
        spatial = self.spatial_attention.keys_values(memory.spatial) if memory.spatial.shape[1] else None
        return LayerMemory(self.temporal_attention.keys_values(memory.temporal), spatial)

    def forward(
        self, x: Tensor, parts: Sequence[Part], slot: int, rows: Tensor | None = None, losses: Losses | None = None
    ) -> tuple[Tensor, LayerAttention]:
        """Decode x (N, d): the outputs of the first part, row by row, then those of the next.

        Args:
            slot: which run of which layer this is, counted from 0.
            rows: (N), false at padded targets, which are set to zero; of a single part.

        Returns:
            (N, d), and the attention of the first part.
        """
        memories = [part.memories[slot % len(part.memories)] for part in parts]
        queries, keys, values = self.own(x)
        x, own = self.self_attention(x, queries, self._outputs(keys, values, parts, slot))
        steps = [Source(part.n, *m.temporal, part.masks.temporal) for part, m in zip(parts, memories, strict=True)]
        x, temporal = self.temporal_attention(*self.towards_steps(hide(x, rows)), steps)
        x, queries = self.towards_cells(hide(x, rows))
        x, spatial = self._look(x, queries, parts, memories, temporal, rows)
        x = self.feed_forward(self.output_projection(x), losses)
        return hide(x, rows), LayerAttention(own[0].scores, temporal[0].scores, spatial)

    def own(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, d) -> queries, keys and values of the self-attention, each (N, h * k)."""
        return self.self_attention.query(x), self.self_attention.key(x), self.self_attention.value(x)

    def towards_steps(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, d) -> what goes into the temporal attention, (N, d), and its queries, (N, h * k)."""
        projected = self.temporal_projection(x)
        return projected, self.temporal_attention.query(projected)

    def towards_cells(self, x: Tensor) -> tuple[Tensor, ...]:
        """The same for the spatial attention."""
        projected = self.spatial_projection(x)
        return projected, self.spatial_attention.query(projected)

    def _outputs(self, keys: Tensor, values: Tensor, parts: Sequence[Part], slot: int) -> list[Source]:
        """What each part sees of its own outputs."""
        split = self.self_attention.split
        pairs = zip(_apart(keys, parts), _apart(values, parts), strict=True)
        return [part.seen(slot, *(split(y, part.n) for y in pair)) for part, pair in zip(parts, pairs, strict=True)]

    def _look(
        self,
        x: Tensor,
        queries: Tensor,
        parts: Sequence[Part],
        memories: Sequence[LayerMemory],
        temporal: Sequence[Weighed],
        rows: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Spatial attention of the rows with something in the spatial cache; the others stay as they are."""
        pieces = list(_apart(x, parts))
        sources = {
            i: Source(part.n, *memory.spatial, part.masks.spatial)
            for i, (part, memory) in enumerate(zip(parts, memories, strict=True))
            if memory.spatial is not None
        }
        if not sources:
            return x, None
        seeing = list(sources)
        of_queries = _apart(queries, parts)
        gates = [temporal[i] for i in seeing], [parts[i].masks.frame for i in seeing]
        attended, weights = self.spatial_attention.attend(
            joined([pieces[i] for i in seeing]),
            joined([of_queries[i] for i in seeing]),
            list(sources.values()),
            *gates,
        )
        found = _apart(hide(attended, rows), [parts[i] for i in seeing])
        for i, piece in zip(seeing, found, strict=True):
            real = parts[i].masks.has_spatial.repeat_interleave(parts[i].n, 0)
            pieces[i] = torch.where(real, piece, pieces[i])
        return joined(pieces), weights[0] if 0 in sources else None


def _apart(x: Tensor, parts: Sequence[Part]) -> tuple[Tensor, ...]:
    """x (N, d) -> (b * n, d) of each part."""
    return torch.split(x, [part.b * part.n for part in parts])
