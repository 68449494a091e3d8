"""Encoder and decoder layers for CPU inference: fewer operations, equal outputs within rounding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from omninet.model.fast.devices import Precision
from omninet.model.fast.linear import QuickLinear, compose
from omninet.model.fast.replacement import Replacements, replaced, without_dropout
from omninet.model.network.attention import concatenate, gate_from_temporal, join_heads
from omninet.model.network.encoder_layers import EncoderLayer
from omninet.model.network.layers import DecoderLayer, LayerMemory, Part, slide_parts, split_parts, where_rows

CLOSED = torch.finfo(torch.float32).min / 2
"""Score of what is masked: two of them add up to a finite number, of which a softmax is not NaN."""


class QuickEncoderLayer(EncoderLayer):
    """EncoderLayer with one matrix product for queries, keys and values."""

    def __init__(self, layer: EncoderLayer, precision: Precision) -> None:
        nn.Module.__init__(self)
        attention = layer.attention
        merged = [attention.query, attention.key, attention.value]
        self.queries_keys_values = QuickLinear(merged, precision)
        _copy_children(self, layer, merged, precision)

    def self_attention_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Project x (N, d) to queries, keys and values in one product; see EncoderLayer."""
        return self.queries_keys_values.parts(x)


class QuickDecoderLayer(DecoderLayer):
    """DecoderLayer that merges the linear layers of one input, and whose steps have fused attention.

    A step returns no attention, so that scores, softmax and the sum of the values are one operation.
    """

    def __init__(self, layer: DecoderLayer, precision: Precision) -> None:
        nn.Module.__init__(self)
        own, steps, cells = layer.self_attention, layer.temporal_attention, layer.spatial_attention
        merged = [own.query, own.key, own.value]
        self.queries_keys_values = QuickLinear(merged, precision)
        pairs = [[layer.temporal_projection, steps.query], [layer.spatial_projection, cells.query]]
        # The queries are a linear layer of the projection: composed, both are one linear layer of x.
        self.to_steps, self.to_cells = (QuickLinear([one, compose(one, other)], precision) for one, other in pairs)
        _copy_children(self, layer, [*merged, *pairs[0], *pairs[1]], precision)
        self.is_fused = cells.gate == "normalised" and cells.linked

    def self_attention_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Project x (N, d) to queries, keys and values in one product; see DecoderLayer."""
        return self.queries_keys_values.parts(x)

    def temporal_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the input of the temporal attention, (N, d), and its queries, (N, h * k); see DecoderLayer."""
        return self.to_steps.parts(x)

    def spatial_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the input of the spatial attention, (N, d), and its queries, (N, h * k); see DecoderLayer."""
        return self.to_cells.parts(x)

    def step(self, x: Tensor, parts: Sequence[Part], slot: int, memories: Sequence[LayerMemory]) -> Tensor:
        """Run the layer at one position of every row: (N, d) -> (N, d); see DecoderLayer."""
        if not self.is_fused:
            return super().step(x, parts, slot, memories)
        for block in self.convolutions:
            x = block(x, slide_parts(parts, slot, None))
        x = self._attend_own(x, parts, slot)
        x, logs = self._attend_steps(x, parts, memories)
        x = self._attend_cells(x, parts, memories, logs)
        changed: Tensor = self.feed_forward(self.output_projection(x))
        return changed

    def _attend_own(self, x: Tensor, parts: Sequence[Part], slot: int) -> Tensor:
        """Apply the causal self-attention to x (N, d)."""
        split, heads = self.self_attention.split, []
        stacked = (split_parts(y, parts) for y in self.self_attention_inputs(x))
        for part, queries, keys, values in zip(parts, *stacked, strict=True):
            source = part.self_source(slot, split(keys, part.n), split(values, part.n))
            attended = scaled_dot_product_attention(
                split(queries, part.n), source.keys, source.values, source.mask, scale=self.self_attention.scale
            )
            heads.append(join_heads(attended))
        return self.self_attention.finish(x, heads)

    def _attend_steps(
        self, x: Tensor, parts: Sequence[Part], memories: Sequence[LayerMemory]
    ) -> tuple[Tensor, list[Tensor]]:
        """Apply the temporal attention to x (N, d); return also the logarithms of its weights, each (b, h, n, R)."""
        attention, heads, logs = self.temporal_attention, [], []
        x, queries = self.temporal_inputs(x)
        for part, memory, rows in zip(parts, memories, split_parts(queries, parts), strict=True):
            keys, values = memory.temporal
            scores = attention.split(rows, part.n) @ keys.transpose(-1, -2) * attention.scale
            logs.append(torch.log_softmax(_closed(scores, part.masks.needed.temporal), -1))
            heads.append(join_heads(logs[-1].exp() @ values))
        return attention.finish(x, heads), logs

    def _attend_cells(
        self, x: Tensor, parts: Sequence[Part], memories: Sequence[LayerMemory], logs: Sequence[Tensor]
    ) -> Tensor:
        """Apply the gated spatial attention to x (N, d); rows with an empty spatial cache pass through unchanged."""
        attention, heads = self.spatial_attention, []
        x, queries = self.spatial_inputs(x)
        seeing = [i for i, memory in enumerate(memories) if memory.spatial is not None]
        if not seeing:
            return x
        pieces, asked = list(split_parts(x, parts)), split_parts(queries, parts)
        for i in seeing:
            masks, cells = parts[i].masks, memories[i].spatial
            assert cells is not None
            gate = _closed(gate_from_temporal(logs[i], masks.frame), masks.needed.spatial)
            rows = attention.split(asked[i], parts[i].n)
            heads.append(join_heads(scaled_dot_product_attention(rows, *cells, gate, scale=attention.scale)))
        changed = attention.finish(concatenate([pieces[i] for i in seeing]), heads)
        for i, piece in zip(seeing, split_parts(changed, [parts[i] for i in seeing]), strict=True):
            pieces[i] = where_rows(parts[i].masks.needed.has_spatial, piece, pieces[i])
        return concatenate(pieces)


def _closed(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Return ``scores`` with CLOSED where ``mask`` is false; None masks nothing."""
    return scores if mask is None else torch.where(mask, scores, CLOSED)


def quick_modules(network: nn.Module, precision: Precision, done: Replacements) -> Replacements:
    """Return the replacements of the encoder and decoder layers, of all other linear layers and of dropouts.

    Args:
        done: replacements that are made already, which are returned as well; what they replace is left alone.
    """
    found = dict(done)
    for module in _outside(network, done):
        if type(module) is EncoderLayer:
            found[id(module)] = QuickEncoderLayer(module, precision)
        elif type(module) is DecoderLayer:
            found[id(module)] = QuickDecoderLayer(module, precision)
    linears = [module for module in _outside(network, found) if type(module) is nn.Linear]
    return without_dropout(network) | found | {id(linear): QuickLinear([linear], precision) for linear in linears}


def _outside(network: nn.Module, replacements: Replacements) -> list[nn.Module]:
    """Return the modules of a network that are not inside one that is replaced."""
    inside = {id(part) for module in network.modules() if id(module) in replacements for part in module.modules()}
    return [module for module in network.modules() if id(module) not in inside]


def _copy_children(to: nn.Module, layer: nn.Module, merged: Sequence[nn.Linear], precision: Precision) -> None:
    """Copy the children of ``layer`` to ``to``; merged linear layers become identities, others QuickLinear."""
    linears = [module for module in layer.modules() if type(module) is nn.Linear]
    modules: Replacements = without_dropout(layer) | {id(linear): nn.Identity() for linear in merged}
    modules |= {id(linear): QuickLinear([linear], precision) for linear in linears if id(linear) not in modules}
    for name, child in layer.named_children():
        setattr(to, name, modules[id(child)] if id(child) in modules else replaced(child, modules))
