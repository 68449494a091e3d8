"""Encoder and decoder layers, feed-forward block and position table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.attention import GatedAttention, MultiHeadAttention, visible
from model.config import CNPConfig
from model.memory import Memory

Extend = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def sinusoid_table(positions: int, width: int) -> Tensor:
    """Position table (positions + 1, width) of Vaswani et al. 2017; positions start at 1, row 0 is zero."""
    rate = 10000 ** (-2 * (torch.arange(width) // 2).double() / width)
    angle = torch.arange(positions + 1).double()[:, None] * rate
    table = torch.where(torch.arange(width) % 2 == 0, angle.sin(), angle.cos())
    table[0] = 0
    return table.float()


def start_as_identity(linear: nn.Linear) -> None:
    """Let a square layer begin by changing nothing; of a wider input it passes the first part on."""
    width = linear.out_features
    nn.init.eye_(linear.weight[:, :width])
    nn.init.zeros_(linear.bias)


class FeedForward(nn.Module):
    """Two linear layers with residual and layer norm."""

    def __init__(self, config: CNPConfig) -> None:
        super().__init__()
        self.expand = nn.Linear(config.d_model, config.d_hidden)
        self.contract = nn.Linear(config.d_hidden, config.d_model)
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(b, n, d) -> (b, n, d)."""
        changed = self.dropout(self.contract(functional.relu(self.expand(x))))
        normed: Tensor = self.norm(changed + x)
        return normed


class EncoderLayer(nn.Module):
    """Layer of the TemporalEncoder (paper, Fig. 2 left)."""

    def __init__(self, config: CNPConfig) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(config)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x (b, t, d) and mask (b, t) -> (b, t, d), zero where the mask is false."""
        keys = None if mask is None else visible(mask)[:, None, None, :]
        x, _ = self.attention(x, *self.attention.keys_values(x), keys)
        x = self.feed_forward(hide(x, mask))
        return hide(x, mask)


def hide(x: Tensor, mask: Tensor | None) -> Tensor:
    """x (b, n, d) with the rows of padding set to zero."""
    return x if mask is None else x * mask[..., None].to(x.dtype)


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
        has_spatial: rows with anything in the spatial cache, (b, 1, 1).
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
            memory.spatial_mask.any(1)[:, None, None],
            memory.frame,
        )


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
    """

    def __init__(self, config: CNPConfig) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(config)
        self.temporal_projection = nn.Linear(config.d_model, config.d_model)
        self.temporal_attention = MultiHeadAttention(config)
        self.spatial_projection = nn.Linear(config.d_model, config.d_model)
        self.spatial_attention = GatedAttention(config)
        self.output_projection = nn.Linear(config.d_model, config.d_model)
        self.feed_forward = FeedForward(config)
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
        self,
        x: Tensor,
        memory: LayerMemory,
        masks: MemoryMasks,
        causal: Tensor,
        rows: Tensor | None = None,
        extend: Extend | None = None,
    ) -> tuple[Tensor, LayerAttention]:
        """Decode x (b, n, d).

        Args:
            causal: which earlier positions are seen, (b or 1, 1, n, m).
            rows: (b, n), false at padded targets, whose rows are set to zero.
            extend: adds this call's keys and values to a cache and returns all of them.

        Returns:
            (b, n, d) and the attention weights.
        """
        keys, values = self.self_attention.keys_values(x)
        if extend is not None:
            keys, values = extend(keys, values)
        x, seen = self.self_attention(x, keys, values, causal)
        x = self.temporal_projection(hide(x, rows))
        x, temporal = self.temporal_attention(x, *memory.temporal, masks.temporal)
        x = self.spatial_projection(hide(x, rows))
        weights = None
        if memory.spatial is not None:
            attended, weights = self.spatial_attention.attend(x, *memory.spatial, masks.spatial, temporal, masks.frame)
            x = torch.where(masks.has_spatial, hide(attended, rows), x)
        x = self.feed_forward(self.output_projection(x))
        return hide(x, rows), LayerAttention(seen, temporal, weights)
