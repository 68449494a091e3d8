"""A network as it answers quickest: the same numbers within rounding, and nothing that could be trained or saved."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from omninet.model.fast.devices import Precision
from omninet.model.fast.linear import QuickLinear, after
from omninet.model.modalities.peripheral import backboned
from omninet.model.modalities.vision.chain import ChainNet
from omninet.model.network.layers import DecoderLayer, EncoderLayer
from omninet.model.network.omninet import OmniNet

M = TypeVar("M", bound=nn.Module)
Replacements = dict[int, Any]  # what stands in the place of a module, by its id


def for_inference(network: OmniNet, device: torch.device, precision: Precision) -> OmniNet:
    """A network beside the given one, of which it shares what it can, on a device.

    On a CPU only products are of another precision than float32: sums, norms, attention and caches are quicker and more
    exact in float32. On a GPU all is of one type.
    """
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    quick = replaced(network, _folded_backbones(network)).eval().requires_grad_(False)
    if device.type != "cpu":
        return copy.deepcopy(quick).to(device, dtype)  # what is shared must stay where and as it is
    for peripheral in backboned(quick):
        peripheral.backbone.to(dtype)
    return replaced(quick, _quick_modules(quick, precision))


def _folded_backbones(network: OmniNet) -> Replacements:
    """What stands in the places of the backbones."""
    return {id(peripheral.backbone): folded(peripheral.backbone) for peripheral in backboned(network)}


class QuickEncoderLayer(EncoderLayer):
    """With one product for queries, keys and values."""

    def __init__(self, layer: EncoderLayer, precision: Precision) -> None:
        nn.Module.__init__(self)
        attention = layer.attention
        joined = [attention.query, attention.key, attention.value]
        self.queries_keys_values = QuickLinear(joined, precision)
        _take_children(self, layer, joined, precision)

    def self_attention_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """As EncoderLayer's."""
        return self.queries_keys_values.parts(x)


class QuickDecoderLayer(DecoderLayer):
    """With one product for what is made of one input: seven of a layer's products are three."""

    def __init__(self, layer: DecoderLayer, precision: Precision) -> None:
        nn.Module.__init__(self)
        own, steps, cells = layer.self_attention, layer.temporal_attention, layer.spatial_attention
        joined = [own.query, own.key, own.value]
        self.queries_keys_values = QuickLinear(joined, precision)
        pairs = [[layer.temporal_projection, steps.query], [layer.spatial_projection, cells.query]]
        # The queries are made of what is projected: one after the other, the two layers are another linear layer.
        self.to_steps, self.to_cells = (QuickLinear([one, after(one, other)], precision) for one, other in pairs)
        _take_children(self, layer, [*joined, *pairs[0], *pairs[1]], precision)

    def self_attention_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """As DecoderLayer's."""
        return self.queries_keys_values.parts(x)

    def temporal_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """As DecoderLayer's."""
        return self.to_steps.parts(x)

    def spatial_inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """As DecoderLayer's."""
        return self.to_cells.parts(x)


def _quick_modules(network: OmniNet, precision: Precision) -> Replacements:
    """What stands in the places of the CNP's layers, and of the linear layers around them."""
    found: Replacements = {}
    for module in network.modules():
        if type(module) is EncoderLayer:
            found[id(module)] = QuickEncoderLayer(module, precision)
        elif type(module) is DecoderLayer:
            found[id(module)] = QuickDecoderLayer(module, precision)
    inside = {id(part) for module in network.modules() if id(module) in found for part in module.modules()}
    linears = [m for m in network.modules() if type(m) is nn.Linear and id(m) not in inside]
    return found | {id(linear): QuickLinear([linear], precision) for linear in linears}


def _take_children(to: nn.Module, layer: nn.Module, joined: Sequence[nn.Linear], precision: Precision) -> None:
    """Let ``to`` have what ``layer`` has, but for linear layers that are joined to others."""
    linears = [module for module in layer.modules() if type(module) is nn.Linear]
    modules: Replacements = {id(linear): nn.Identity() for linear in joined}
    modules |= {id(linear): QuickLinear([linear], precision) for linear in linears if id(linear) not in modules}
    for name, child in layer.named_children():
        setattr(to, name, modules[id(child)] if id(child) in modules else replaced(child, modules))


def folded(backbone: nn.Module) -> nn.Module:
    """The same maps from a copy that has every batch norm in the convolution before it."""
    merged = backbone.merged() if isinstance(backbone, ChainNet) else backbone
    return fuse(merged).to(memory_format=torch.channels_last)


def replaced(module: M, modules: Replacements) -> M:
    """A module with other ones in the places of some; all else has the same tensors."""
    memo: dict[int, Any] = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, memo | modules)
