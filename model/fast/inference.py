"""Optimised networks for inference: equal outputs within rounding; they cannot be trained or saved."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from omninet.model.fast.devices import Precision
from omninet.model.fast.linear import QuickLinear, compose
from omninet.model.modalities.peripheral import backboned
from omninet.model.modalities.vision.chain import ChainNet
from omninet.model.network.encoder_layers import EncoderLayer
from omninet.model.network.layers import DecoderLayer
from omninet.model.network.omninet import OmniNet

M = TypeVar("M", bound=nn.Module)
Replacements = dict[int, Any]  # id of a module -> its replacement


def for_inference(network: OmniNet, device: torch.device, precision: Precision) -> OmniNet:
    """Return an optimised copy of a network on a device; on the CPU it shares unchanged tensors with the original.

    On a CPU only matrix products use ``precision``: sums, norms, attention and caches stay in float32, which is faster
    and more accurate there. On a GPU all tensors have one dtype.
    """
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    quick = replaced(network, _folded_backbones(network)).eval().requires_grad_(False)
    if device.type != "cpu":
        # A deep copy: tensors shared with the original must not move or change dtype.
        return copy.deepcopy(quick).to(device, dtype)
    for peripheral in backboned(quick):
        peripheral.backbone.to(dtype)
    return replaced(quick, _quick_modules(quick, precision))


def _folded_backbones(network: OmniNet) -> Replacements:
    """Return the backbones with folded batch norms, as replacements."""
    return {id(peripheral.backbone): folded(peripheral.backbone) for peripheral in backboned(network)}


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
    """DecoderLayer that merges the linear layers of one input: three matrix products instead of seven."""

    def __init__(self, layer: DecoderLayer, precision: Precision) -> None:
        nn.Module.__init__(self)
        own, steps, cells = layer.self_attention, layer.temporal_attention, layer.spatial_attention
        merged = [own.query, own.key, own.value]
        self.queries_keys_values = QuickLinear(merged, precision)
        pairs = [[layer.temporal_projection, steps.query], [layer.spatial_projection, cells.query]]
        # The queries are a linear layer of the projection: composed, both are one linear layer of x.
        self.to_steps, self.to_cells = (QuickLinear([one, compose(one, other)], precision) for one, other in pairs)
        _copy_children(self, layer, [*merged, *pairs[0], *pairs[1]], precision)

    def self_attention_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Project x (N, d) to queries, keys and values in one product; see DecoderLayer."""
        return self.queries_keys_values.parts(x)

    def temporal_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the input of the temporal attention, (N, d), and its queries, (N, h * k); see DecoderLayer."""
        return self.to_steps.parts(x)

    def spatial_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the input of the spatial attention, (N, d), and its queries, (N, h * k); see DecoderLayer."""
        return self.to_cells.parts(x)


def _quick_modules(network: OmniNet, precision: Precision) -> Replacements:
    """Return the replacements of the encoder and decoder layers and of all other linear layers."""
    found: Replacements = {}
    for module in network.modules():
        if type(module) is EncoderLayer:
            found[id(module)] = QuickEncoderLayer(module, precision)
        elif type(module) is DecoderLayer:
            found[id(module)] = QuickDecoderLayer(module, precision)
    inside = {id(part) for module in network.modules() if id(module) in found for part in module.modules()}
    linears = [m for m in network.modules() if type(m) is nn.Linear and id(m) not in inside]
    return found | {id(linear): QuickLinear([linear], precision) for linear in linears}


def _copy_children(to: nn.Module, layer: nn.Module, merged: Sequence[nn.Linear], precision: Precision) -> None:
    """Copy the children of ``layer`` to ``to``; merged linear layers become identities, others QuickLinear."""
    linears = [module for module in layer.modules() if type(module) is nn.Linear]
    modules: Replacements = {id(linear): nn.Identity() for linear in merged}
    modules |= {id(linear): QuickLinear([linear], precision) for linear in linears if id(linear) not in modules}
    for name, child in layer.named_children():
        setattr(to, name, modules[id(child)] if id(child) in modules else replaced(child, modules))


def folded(backbone: nn.Module) -> nn.Module:
    """Return a copy of a backbone in which every batch norm is folded into the convolution before it."""
    merged = backbone.merged() if isinstance(backbone, ChainNet) else backbone
    return fuse(merged).to(memory_format=torch.channels_last)


def replaced(module: M, modules: Replacements) -> M:
    """Return a copy of a module with some submodules replaced; all other tensors are shared, not copied."""
    memo: dict[int, Any] = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, memo | modules)
