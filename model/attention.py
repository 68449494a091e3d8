"""Multi-head attention, and its gated form for the spatial cache (paper, Eq. 1 and Algorithm 2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from model.config import CNPConfig, Gate


def visible(mask: Tensor) -> Tensor:
    """``mask`` with the rows that hide everything opened, so that a softmax over them is no NaN.

    What such a row attends to is meaningless and must be thrown away by the caller.
    """
    return mask | ~mask.any(-1, keepdim=True)


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention with heads, residual and layer norm (Vaswani et al. 2017)."""

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
        return self._split(self.key(x)), self._split(self.value(x))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend from x (b, n, d) to keys and values (b, h, m, k).

        Args:
            mask: (b or 1, 1, n or 1, m), true where a key may be seen.

        Returns:
            (b, n, d), and the scores, (b, h, n, m); their softmax are the attention weights.
        """
        scores = self._scores(x, keys, mask)
        return self._finish(x, torch.softmax(scores, dim=-1), values), scores

    def _scores(self, x: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        scores = self._split(self.query(x)) @ keys.transpose(-1, -2) * self.scale
        return scores if mask is None else scores.masked_fill(~mask, -math.inf)

    def _finish(self, x: Tensor, weights: Tensor, values: Tensor) -> Tensor:
        heads = self.weight_dropout(weights) @ values
        mixed = self.dropout(self.output(heads.transpose(1, 2).flatten(2)))
        normed: Tensor = self.norm(mixed + x)
        return normed

    def _split(self, x: Tensor) -> Tensor:
        """(b, m, h * k) -> (b, h, m, k)."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class GatedAttention(MultiHeadAttention):
    """Attention over the spatial cache, gated by the weights of the temporal cache."""

    def __init__(self, config: CNPConfig) -> None:
        super().__init__(config)
        self.gate: Gate = config.gate
        self.linked = config.link_array

    def attend(
        self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor, temporal: Tensor, frame: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Attend from x (b, n, d) to the spatial cache's keys and values (b, h, P, k).

        Args:
            mask: (b, 1, 1, P).
            temporal: scores of the temporal attention, (b, h, n, R).
            frame: temporal position that each spatial position is tied to, (b, P).

        Returns:
            (b, n, d), and what multiplied the values, (b, h, n, P).
        """
        if not self.linked:
            weights = torch.softmax(self._scores(x, keys, mask), dim=-1)
            return self._finish(x, weights, values), weights
        # A closed gate is -inf; a row that is closed everywhere must not become NaN.
        log_gate = gate_from_temporal(torch.log_softmax(temporal, -1), frame).clamp(min=torch.finfo(x.dtype).min / 2)
        weights = self._gated(self._scores(x, keys, None), log_gate, mask)
        return self._finish(x, weights, values), weights

    def _gated(self, scores: Tensor, log_gate: Tensor, mask: Tensor) -> Tensor:
        if self.gate == "official":
            return torch.softmax((scores * log_gate.exp()).masked_fill(~mask, -math.inf), dim=-1)
        if self.gate == "paper":
            return torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1) * log_gate.exp()
        return torch.softmax((scores + log_gate).masked_fill(~mask, -math.inf), dim=-1)


def gate_from_temporal(temporal: Tensor, frame: Tensor) -> Tensor:
    """Algorithm 2: the logarithm of G, (b, h, n, P), from log A (b, h, n, R) and the frames (b, P)."""
    b, h, n, _ = temporal.shape
    return temporal.gather(-1, frame[:, None, None, :].expand(b, h, n, frame.shape[1]))
