"""Decoder layers, feed-forward block and sinusoidal position table."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.network.attention import (
    AttentionWeights,
    GatedAttention,
    MultiHeadAttention,
    Source,
    concatenate,
    open_empty_rows,
)
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.convolutions import ConvolutionBlock, Slide, slide_over
from omninet.model.network.memory import Memory

Place = tuple[Hashable, int]
"""A step of a convolutional block of the decoder: name of the block (of its run), and number of the step."""


def sinusoid_table(positions: int, width: int) -> Tensor:
    """Return the sinusoidal position encoding (Vaswani et al. 2017, 3.5), (positions + 1, width).

    Positions are counted from 1; row 0 is zero.
    """
    with torch.device("cpu"):  # checkpoints do not store the table: compute it even in networks on the meta device
        columns, rows = torch.arange(width), torch.arange(positions + 1)
    angle = rows.double()[:, None] * 10000 ** (-2 * (columns // 2).double() / width)
    table = torch.where(columns % 2 == 0, angle.sin(), angle.cos())
    table[0] = 0
    return table.float()


def start_as_identity(linear: nn.Linear) -> None:
    """Initialise a linear layer as the identity on its first ``out_features`` inputs, with zero bias."""
    width = linear.out_features
    nn.init.eye_(linear.weight[:, :width])
    nn.init.zeros_(linear.bias)


class FeedForward(nn.Module):
    """Position-wise feed-forward block with residual connection and layer norm (Vaswani et al. 2017, 3.3)."""

    def __init__(self, d_model: int, d_hidden: int, dropout: float) -> None:
        super().__init__()
        self.expand = nn.Linear(d_model, d_hidden)
        self.contract = nn.Linear(d_hidden, d_model)
        self.norm = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, rows: Tensor | None = None, auxiliary: Auxiliary | None = None) -> Tensor:  # noqa: ARG002
        """(N, d) -> (N, d).

        Args:
            rows, auxiliary: unused here; a replacement of this block may treat padding, where ``rows`` (N) is false,
                in its own way, and may return auxiliary losses.
        """
        changed = self.dropout(self.contract(functional.relu(self.expand(x))))
        normed: Tensor = self.norm(changed + x)
        return normed


def zero_padding(x: Tensor, rows: Tensor | None) -> Tensor:
    """Set the rows of x (N, d) to zero where ``rows`` (N) is false; None changes nothing."""
    return x if rows is None else x * rows[:, None].to(x.dtype)


@dataclass(frozen=True)
class LayerMemory:
    """A memory projected to the keys and values of one decoder layer.

    Attributes:
        temporal: keys and values, each (b, h, R, k).
        spatial: keys and values, each (b, h, P, k); None if the spatial cache is empty.
    """

    temporal: tuple[Tensor, Tensor]
    spatial: tuple[Tensor, Tensor] | None


@dataclass(frozen=True)
class MemoryMasks:
    """Masks and gate positions of a memory, shared by all decoder layers.

    Attributes:
        temporal: (b, 1, 1, R), no row is all false.
        spatial: (b, 1, 1, P), no row is all false.
        has_spatial: (b, 1), true in rows whose spatial cache is not empty.
        frame: temporal position that gates each spatial position, (b, P).
    """

    temporal: Tensor
    spatial: Tensor
    has_spatial: Tensor
    frame: Tensor

    @classmethod
    def of(cls, memory: Memory) -> MemoryMasks:
        """Take the masks of ``memory``; rows that are all false become all true (``open_empty_rows``)."""
        return cls(
            open_empty_rows(memory.temporal_mask)[:, None, None, :],
            open_empty_rows(memory.spatial_mask)[:, None, None, :],
            memory.spatial_mask.any(1, keepdim=True),
            memory.frame,
        )

    @cached_property
    def needed(self) -> NeededMasks:
        """Return the masks that mask anything."""
        masks = self.temporal, self.spatial, self.has_spatial
        return NeededMasks(*(None if bool(mask.all()) else mask for mask in masks))


class NeededMasks(NamedTuple):
    """Masks of a memory (see MemoryMasks); None instead of one that is true everywhere."""

    temporal: Tensor | None
    spatial: Tensor | None
    has_spatial: Tensor | None


class Part(Protocol):
    """Rows that share one run of the decoder and whose memories have one shape: b rows of n positions or hypotheses."""

    @property
    def b(self) -> int:
        """Number of rows."""
        ...

    @property
    def n(self) -> int:
        """Positions (teacher forcing) or hypotheses (beam search) per row."""
        ...

    @property
    def memories(self) -> Sequence[LayerMemory]:
        """Keys and values of the memory, one for each layer, and one for the mixer if there is one."""
        ...

    @property
    def masks(self) -> MemoryMasks:
        """Masks of the memory."""
        ...

    def self_source(self, slot: int, keys: Tensor, values: Tensor) -> Source:
        """Return the keys, values and mask of the causal self-attention.

        Args:
            slot: run of a layer, counted from 0: recurrent step * layers + layer.
            keys, values: of the current positions, (b, h, n, k).
        """
        ...

    def slide(self, place: Place, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        """Convolve each channel of x (b, n, d) over a position and those before it: (b, n, d).

        Args:
            place: which run of which convolution this is.
            weight: (d, kernel).
        """
        ...


@dataclass(frozen=True)
class Prefix:
    """Whole prefixes, decoded at once with teacher forcing; implements ``Part``.

    Attributes:
        causal: causal mask, (b or 1, 1, n, n).
    """

    b: int
    n: int
    memories: Sequence[LayerMemory]
    masks: MemoryMasks
    causal: Tensor

    def self_source(self, slot: int, keys: Tensor, values: Tensor) -> Source:  # noqa: ARG002
        """Return the keys and values with the causal mask; see Part."""
        return Source(self.n, keys, values, self.causal)

    def slide(self, place: Place, x: Tensor, weight: Tensor, dilation: int) -> Tensor:  # noqa: ARG002
        """Convolve over the whole prefix; see Part."""
        return slide_over(x, weight, dilation, causal=True)


def slide_parts(parts: Sequence[Part], name: Hashable, rows: Tensor | None) -> Slide:
    """Return causal convolution over the positions of each part.

    Args:
        name: of the block, and of its run if it runs several times.
        rows: (N), false at padded targets.
    """

    def slide(number: int, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        pieces = zip(split_parts(zero_padding(x, rows), parts), parts, strict=True)
        found = [part.slide((name, number), piece.view(part.b, part.n, -1), weight, dilation) for piece, part in pieces]
        return concatenate([piece.flatten(0, 1) for piece in found])

    return slide


@dataclass(frozen=True)
class LayerAttention:
    """Attention of one run of a decoder layer.

    Attributes:
        self_attention, temporal: scores before the softmax, (b, h, n, n) and (b, h, n, R).
        spatial: gated weights, (b, h, n, P); None if the spatial cache is empty.
    """

    self_attention: Tensor
    temporal: Tensor
    spatial: Tensor | None


class DecoderLayer(nn.Module):
    """Masked self-attention, temporal attention, gated spatial attention (paper, Fig. 2 right).

    The three linear projections between the attention blocks are in the authors' code, not in the paper's figure. They
    have no residual connection.

    Args:
        feed_forward: FeedForward or a replacement with its interface, (N, d) -> (N, d).
        convolutions: blocks before the self-attention.
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
        convolutions: Iterable[ConvolutionBlock] = (),
    ) -> None:
        super().__init__()
        self.self_attention = self_attention
        self.temporal_projection = temporal_projection
        self.temporal_attention = temporal_attention
        self.spatial_projection = spatial_projection
        self.spatial_attention = spatial_attention
        self.output_projection = output_projection
        self.feed_forward = feed_forward
        self.convolutions = nn.ModuleList(convolutions)
        self._initialise()

    def _initialise(self) -> None:
        """Initialise so that training converges faster.

        The projections start as identities, so that the residual stream passes through them. Half of the heads of the
        temporal attention start with equal query and key weights, so that position i first attends to time step i.
        """
        for projection in (self.temporal_projection, self.spatial_projection, self.output_projection):
            start_as_identity(projection)
        attention = self.temporal_attention
        rows = attention.heads // 2 * (attention.query.out_features // attention.heads)
        # Neighbouring positions differ mostly in the quarter of the sinusoids with the highest frequencies.
        quick = attention.query.in_features // 4
        with torch.no_grad():
            query = attention.query.weight[:rows]
            query[:, :quick] *= 2
            query[:, quick:] /= 2
            attention.key.weight[:rows] = query

    def project_memory(self, memory: Memory) -> LayerMemory:
        """Project a memory to keys and values, once for all positions that are decoded from it."""
        spatial = self.spatial_attention.keys_values(memory.spatial) if memory.spatial.shape[1] else None
        return LayerMemory(self.temporal_attention.keys_values(memory.temporal), spatial)

    def forward(
        self,
        x: Tensor,
        parts: Sequence[Part],
        slot: int,
        memories: Sequence[LayerMemory],
        rows: Tensor | None = None,
        auxiliary: Auxiliary | None = None,
    ) -> tuple[Tensor, LayerAttention]:
        """Run the layer.

        Args:
            x: hidden states, (N, d): those of the first part, row by row, then those of the next part.
            slot: run of a layer, counted from 0: recurrent step * layers + layer.
            memories: each part's memory, projected by this layer.
            rows: (N), false at padded targets, which are set to zero; only with a single part.
            auxiliary: passed to the feed-forward block.

        Returns:
            The output, (N, d), and the attention of the first part.
        """
        for block in self.convolutions:
            x = zero_padding(block(x, slide_parts(parts, slot, rows)), rows)
        queries, keys, values = self.self_attention_inputs(x)
        x, self_attention = self.self_attention(x, queries, self._self_sources(keys, values, parts, slot))
        steps = [Source(part.n, *m.temporal, part.masks.temporal) for part, m in zip(parts, memories, strict=True)]
        x, temporal = self.temporal_attention(*self.temporal_inputs(zero_padding(x, rows)), steps)
        x, queries = self.spatial_inputs(zero_padding(x, rows))
        x, spatial = self._attend_spatial(x, queries, parts, memories, temporal, rows)
        x = self.feed_forward(self.output_projection(x), rows, auxiliary)
        return zero_padding(x, rows), LayerAttention(self_attention[0].scores, temporal[0].scores, spatial)

    def step(self, x: Tensor, parts: Sequence[Part], slot: int, memories: Sequence[LayerMemory]) -> Tensor:
        """Run the layer at one position of every row, for its output alone: (N, d) -> (N, d); see ``forward``."""
        return self(x, parts, slot, memories)[0]  # type: ignore[no-any-return]

    def self_attention_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Project x (N, d) to the queries, keys and values of the self-attention, each (N, h * k)."""
        return self.self_attention.query(x), self.self_attention.key(x), self.self_attention.value(x)

    def temporal_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the input of the temporal attention, (N, d), and its queries, (N, h * k), for x (N, d)."""
        projected = self.temporal_projection(x)
        return projected, self.temporal_attention.query(projected)

    def spatial_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the input of the spatial attention, (N, d), and its queries, (N, h * k), for x (N, d)."""
        projected = self.spatial_projection(x)
        return projected, self.spatial_attention.query(projected)

    def _self_sources(self, keys: Tensor, values: Tensor, parts: Sequence[Part], slot: int) -> list[Source]:
        """Return the keys and values of each part's causal self-attention."""
        split = self.self_attention.split
        pairs = zip(split_parts(keys, parts), split_parts(values, parts), strict=True)
        return [
            part.self_source(slot, *(split(y, part.n) for y in pair)) for part, pair in zip(parts, pairs, strict=True)
        ]

    def _attend_spatial(
        self,
        x: Tensor,
        queries: Tensor,
        parts: Sequence[Part],
        memories: Sequence[LayerMemory],
        temporal: Sequence[AttentionWeights],
        rows: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Apply the spatial attention; rows with an empty spatial cache pass through unchanged."""
        pieces = list(split_parts(x, parts))
        sources = {
            i: Source(part.n, *memory.spatial, part.masks.spatial)
            for i, (part, memory) in enumerate(zip(parts, memories, strict=True))
            if memory.spatial is not None
        }
        if not sources:
            return x, None
        spatial_parts = list(sources)
        of_queries = split_parts(queries, parts)
        gates = [temporal[i] for i in spatial_parts], [parts[i].masks.frame for i in spatial_parts]
        attended, weights = self.spatial_attention.attend(
            concatenate([pieces[i] for i in spatial_parts]),
            concatenate([of_queries[i] for i in spatial_parts]),
            list(sources.values()),
            *gates,
        )
        found = split_parts(zero_padding(attended, rows), [parts[i] for i in spatial_parts])
        for i, piece in zip(spatial_parts, found, strict=True):
            pieces[i] = where_rows(parts[i].masks.has_spatial, piece, pieces[i])
        return concatenate(pieces), weights[0] if 0 in sources else None


def where_rows(mask: Tensor | None, x: Tensor, other: Tensor) -> Tensor:
    """Return x (b * n, d), and ``other`` in the rows where ``mask`` (b, 1) is false; None masks nothing."""
    return x if mask is None else torch.where(mask.repeat_interleave(x.shape[0] // mask.shape[0], 0), x, other)


def split_parts(x: Tensor, parts: Sequence[Part]) -> tuple[Tensor, ...]:
    """Split x (N, d) by part, each (b * n, d)."""
    return torch.split(x, [part.b * part.n for part in parts])
