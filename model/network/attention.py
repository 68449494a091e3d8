"""Multi-head attention, and its gated form for the spatial cache (paper, Eq. 1 and Algorithm 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from omninet.model.config import CNPConfig, Gate


def open_empty_rows(mask: Tensor) -> Tensor:
    """Return ``mask`` with every all-false row set to true, so that a softmax over that row is not NaN.

    The attention output of such a row is meaningless; the caller must discard it.

    Args:
        mask: boolean, (..., m).
    """
    return mask | ~mask.any(-1, keepdim=True)


class Source(NamedTuple):
    """Keys and values that some rows of a batch attend to.

    Attributes:
        n: queries per row.
        keys, values: (b, h, m, k), m keys per row.
        mask: (b or 1, 1, n or 1, m), true at the keys that a query may attend to; None if all of them.
    """

    n: int
    keys: Tensor
    values: Tensor
    mask: Tensor | None = None


class AttentionWeights(NamedTuple):
    """Attention of the queries to the keys of one source, each (b, h, n, m).

    Attributes:
        scores: masked attention logits, before the softmax.
        weights: softmax of the scores, after attention dropout.
    """

    scores: Tensor
    weights: Tensor


class MultiHeadAttention(nn.Module):
    """Multi-head scaled dot-product attention with residual connection and layer norm (Vaswani et al. 2017, 3.2).

    The queries of all sources are stacked into one matrix (N, d): the b * n queries of the first source, row by row,
    then those of the next source. Each linear layer thus runs once for all sources; only the products with keys and
    values run per source.
    """

    def __init__(self, config: CNPConfig) -> None:
        super().__init__()
        d, heads = config.d_model, config.heads
        self.heads = heads
        self.scale = 1 / math.sqrt(config.d_key)
        self.query = nn.Linear(d, heads * config.d_key)
        self.key = nn.Linear(d, heads * config.d_key)
        self.value = nn.Linear(d, heads * config.d_value)
        self.output = nn.Linear(heads * config.d_value, d)
        self.norm = nn.LayerNorm(d)
        self.weight_dropout = nn.Dropout(config.attention_dropout)
        self.dropout = nn.Dropout(config.dropout)
        self._initialise(config)

    def _initialise(self, config: CNPConfig) -> None:
        for layer, width in ((self.query, config.d_key), (self.key, config.d_key), (self.value, config.d_value)):
            nn.init.normal_(layer.weight, std=math.sqrt(2 / (config.d_model + width)))
        nn.init.xavier_normal_(self.output.weight, gain=0.2)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Project x (b, m, d) to keys and values, each (b, h, m, k)."""
        m = x.shape[1]
        # Every decoding step reads them: without contiguous(), each matrix product would copy them first.
        return self.split(self.key(x), m).contiguous(), self.split(self.value(x), m).contiguous()

    def forward(self, x: Tensor, queries: Tensor, sources: Sequence[Source]) -> tuple[Tensor, list[AttentionWeights]]:
        """Attend to the sources; add x as the residual and normalise.

        Args:
            x: residual input, (N, d).
            queries: projected queries, (N, h * k).

        Returns:
            The output, (N, d), and the attention to each source.
        """
        parts = self._split_queries(queries, sources)
        scores = [mask_scores(self._scores(q, s), s.mask) for q, s in zip(parts, sources, strict=True)]
        weights = [self.weight_dropout(torch.softmax(score, dim=-1)) for score in scores]
        return self._read(x, weights, sources), list(map(AttentionWeights, scores, weights))

    def _split_queries(self, queries: Tensor, sources: Sequence[Source]) -> list[Tensor]:
        """Split stacked queries (N, h * k) by source, each (b, h, n, k)."""
        parts = torch.split(queries, [source.keys.shape[0] * source.n for source in sources])
        return [self.split(part, source.n) for part, source in zip(parts, sources, strict=True)]

    def _scores(self, queries: Tensor, source: Source) -> Tensor:
        return queries @ source.keys.transpose(-1, -2) * self.scale

    def _read(self, x: Tensor, weights: Sequence[Tensor], sources: Sequence[Source]) -> Tensor:
        """Sum the values of each source with the weights (b, h, n, m); project, add x (N, d) and normalise."""
        return self.finish(x, [join_heads(w @ source.values) for w, source in zip(weights, sources, strict=True)])

    def finish(self, x: Tensor, heads: Sequence[Tensor]) -> Tensor:
        """Project what the heads read of each source, (b * n, h * k); add the residual x (N, d) and normalise."""
        normed: Tensor = self.norm(self.dropout(self.output(concatenate(heads))) + x)
        return normed

    def split(self, x: Tensor, n: int) -> Tensor:
        """Split the last axis into heads: (b, n, h * k) or (b * n, h * k) -> (b, h, n, k)."""
        return x.view(-1, n, self.heads, x.shape[-1] // self.heads).transpose(1, 2)


class GatedAttention(MultiHeadAttention):
    """Attention over the spatial cache, gated by the attention weights over the temporal cache (paper, Eq. 1)."""

    def __init__(self, config: CNPConfig) -> None:
        super().__init__(config)
        self.gate: Gate = config.gate
        self.linked = config.link_array

    def attend(
        self,
        x: Tensor,
        queries: Tensor,
        sources: Sequence[Source],
        temporal: Sequence[AttentionWeights],
        frames: Sequence[Tensor],
    ) -> tuple[Tensor, list[Tensor]]:
        """Attend to spatial caches; add x as the residual and normalise.

        Args:
            x: residual input, (N, d).
            queries: projected queries, (N, h * k).
            temporal: temporal attention of each source, (b, h, n, R).
            frames: temporal position that gates each spatial position, for each source, (b, P).

        Returns:
            The output, (N, d), and the gated weights of each source before dropout, (b, h, n, P).
        """
        parts = self._split_queries(queries, sources)
        weights = [self._weights(*each) for each in zip(parts, sources, temporal, frames, strict=True)]
        return self._read(x, [self.weight_dropout(w) for w in weights], sources), weights

    def _weights(self, queries: Tensor, source: Source, temporal: AttentionWeights, frame: Tensor) -> Tensor:
        scores = self._scores(queries, source)
        if not self.linked:
            return torch.softmax(mask_scores(scores, source.mask), dim=-1)
        if self.gate == "official":
            # The authors' code gates with the weights after dropout, so that training closes some gates at random.
            gate = gate_from_temporal(temporal.weights, frame)
            return torch.softmax(mask_scores(scores * gate, source.mask), dim=-1)
        # The logarithm of a closed gate is -inf; clamp it, or a row whose gates are all closed becomes NaN.
        lowest = torch.finfo(scores.dtype).min / 2
        log_gate = gate_from_temporal(torch.log_softmax(temporal.scores, -1), frame).clamp(min=lowest)
        if self.gate == "paper":
            return torch.softmax(mask_scores(scores, source.mask), dim=-1) * log_gate.exp()
        return torch.softmax(mask_scores(scores + log_gate, source.mask), dim=-1)


def mask_scores(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Return ``scores`` with -inf where ``mask`` is false; None masks nothing."""
    return scores if mask is None else torch.where(mask, scores, -math.inf)


def join_heads(x: Tensor) -> Tensor:
    """Join the heads of each query: (b, h, n, k) -> (b * n, h * k)."""
    return x.transpose(1, 2).flatten(0, 1).flatten(1)


def concatenate(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate along the first axis; a single tensor is returned without a copy."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def gate_from_temporal(temporal: Tensor, frame: Tensor) -> Tensor:
    """Return the gates G (b, h, n, P) for temporal weights A (b, h, n, R) (paper, Algorithm 2).

    Args:
        temporal: temporal weights A, or their logarithms, which give log G.
        frame: temporal position that gates each spatial position, (b, P).
    """
    b, h, n, _ = temporal.shape
    return temporal.gather(-1, frame[:, None, None, :].expand(b, h, n, frame.shape[1]))
