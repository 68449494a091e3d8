"""Multi-head attention, and its gated form for the spatial cache (paper, Eq. 1 and Algorithm 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from omninet.model.config import CNPConfig, Gate


def visible(mask: Tensor) -> Tensor:
    """``mask`` with the rows that hide everything opened, so that a softmax over them is no NaN.

    What such a row attends to is meaningless and must be thrown away by the caller.
    """
    return mask | ~mask.any(-1, keepdim=True)


class Source(NamedTuple):
    """What some rows of a batch attend to.

    Attributes:
        n: queries of each row.
        keys, values: (b, h, m, k).
        mask: (b or 1, 1, n or 1, m), true where a key may be seen; None where all may.
    """

    n: int
    keys: Tensor
    values: Tensor
    mask: Tensor | None = None


class Weighed(NamedTuple):
    """How much each key of a source counts for each query, (b, h, n, m).

    Attributes:
        scores: their softmax are the attention weights.
        weights: what multiplies the values; in training after dropout.
    """

    scores: Tensor
    weights: Tensor


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention with heads, residual and layer norm (Vaswani et al. 2017).

    Queries come as one matrix, whatever they attend to: (N, d) holds the b * n queries of the first source, row by
    row, then those of the next. So they share each linear layer, and only the products with keys and values are apart.
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
        """(b, m, d) -> keys and values, each (b, h, m, k)."""
        m = x.shape[1]
        # Read at every step: a batch's matrices lie one after the other, or each product would copy them there.
        return self.split(self.key(x), m).contiguous(), self.split(self.value(x), m).contiguous()

    def forward(self, x: Tensor, queries: Tensor, sources: Sequence[Source]) -> tuple[Tensor, list[Weighed]]:
        """Attend from x (N, d), with its queries (N, h * k), to the sources.

        Returns:
            (N, d), and for each source how much its keys counted.
        """
        parts = self._apart(queries, sources)
        scores = [hide_from(self._scores(q, s), s.mask) for q, s in zip(parts, sources, strict=True)]
        weights = [self.weight_dropout(torch.softmax(score, dim=-1)) for score in scores]
        return self._finish(x, weights, sources), list(map(Weighed, scores, weights))

    def _apart(self, queries: Tensor, sources: Sequence[Source]) -> list[Tensor]:
        """(N, h * k) -> (b, h, n, k) for each source."""
        parts = torch.split(queries, [len(source.keys) * source.n for source in sources])
        return [self.split(part, source.n) for part, source in zip(parts, sources, strict=True)]

    def _scores(self, queries: Tensor, source: Source) -> Tensor:
        return queries @ source.keys.transpose(-1, -2) * self.scale

    def _finish(self, x: Tensor, weights: Sequence[Tensor], sources: Sequence[Source]) -> Tensor:
        heads = [w @ source.values for w, source in zip(weights, sources, strict=True)]
        rows = [part.transpose(1, 2).flatten(0, 1).flatten(1) for part in heads]
        normed: Tensor = self.norm(self.dropout(self.output(joined(rows))) + x)
        return normed

    def split(self, x: Tensor, n: int) -> Tensor:
        """(b, n, h * k) or (b * n, h * k) -> (b, h, n, k)."""
        return x.view(-1, n, self.heads, x.shape[-1] // self.heads).transpose(1, 2)


class GatedAttention(MultiHeadAttention):
    """Attention over the spatial cache, gated by the weights of the temporal cache."""

    def __init__(self, config: CNPConfig) -> None:
        super().__init__(config)
        self.gate: Gate = config.gate
        self.linked = config.link_array

    def attend(
        self,
        x: Tensor,
        queries: Tensor,
        sources: Sequence[Source],
        temporal: Sequence[Weighed],
        frames: Sequence[Tensor],
    ) -> tuple[Tensor, list[Tensor]]:
        """Attend from x (N, d), with its queries (N, h * k), to spatial caches.

        Args:
            temporal: for each source what the temporal attention gave, of (b, h, n, R).
            frames: for each source the temporal position that each spatial position is tied to, (b, P).

        Returns:
            (N, d), and what multiplies each source's values but for dropout, (b, h, n, P).
        """
        parts = self._apart(queries, sources)
        weights = [self._weights(*each) for each in zip(parts, sources, temporal, frames, strict=True)]
        return self._finish(x, [self.weight_dropout(w) for w in weights], sources), weights

    def _weights(self, queries: Tensor, source: Source, temporal: Weighed, frame: Tensor) -> Tensor:
        scores = self._scores(queries, source)
        if not self.linked:
            return torch.softmax(hide_from(scores, source.mask), dim=-1)
        if self.gate == "official":
            # The authors' code gates with what multiplied the values, so that training closes some gates at random.
            gate = gate_from_temporal(temporal.weights, frame)
            return torch.softmax(hide_from(scores * gate, source.mask), dim=-1)
        # A closed gate is -inf; a row that is closed everywhere must not become NaN.
        lowest = torch.finfo(scores.dtype).min / 2
        log_gate = gate_from_temporal(torch.log_softmax(temporal.scores, -1), frame).clamp(min=lowest)
        if self.gate == "paper":
            return torch.softmax(hide_from(scores, source.mask), dim=-1) * log_gate.exp()
        return torch.softmax(hide_from(scores + log_gate, source.mask), dim=-1)


def hide_from(scores: Tensor, mask: Tensor | None) -> Tensor:
    """``scores`` with -inf where ``mask`` is false; None hides nothing."""
    return scores if mask is None else torch.where(mask, scores, -math.inf)


def joined(parts: Sequence[Tensor]) -> Tensor:
    """One after another; a single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def gate_from_temporal(temporal: Tensor, frame: Tensor) -> Tensor:
    """Algorithm 2: G (b, h, n, P) from A (b, h, n, R) and the frames (b, P); of their logarithms just so."""
    b, h, n, _ = temporal.shape
    return temporal.gather(-1, frame[:, None, None, :].expand(b, h, n, frame.shape[1]))
