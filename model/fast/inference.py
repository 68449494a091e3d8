"""Optimised networks for inference: equal outputs within rounding; they cannot be trained or saved."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

from omninet.model.fast.convolution import packed_convolutions
from omninet.model.fast.decoder import graph_decoder
from omninet.model.fast.devices import Precision
from omninet.model.fast.layers import quick_modules
from omninet.model.fast.replacement import Replacements, replaced
from omninet.model.modalities.peripheral import backboned
from omninet.model.modalities.vision.chain import ChainNet
from omninet.model.network.omninet import OmniNet


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
    graph = graph_decoder(quick.cnp.decoder) if precision == "float32" else None
    modules = quick_modules(quick, precision, {id(quick.cnp.decoder): graph} if graph else {})
    if precision != "bfloat16":
        for peripheral in backboned(quick):
            modules |= packed_convolutions(peripheral)
    return replaced(quick, modules)


def _folded_backbones(network: OmniNet) -> Replacements:
    """Return the backbones with folded batch norms, as replacements."""
    return {id(peripheral.backbone): folded(peripheral.backbone) for peripheral in backboned(network)}


def folded(backbone: nn.Module) -> nn.Module:
    """Return a copy of a backbone in which every batch norm is folded into the convolution before it."""
    merged = backbone.merged() if isinstance(backbone, ChainNet) else backbone
    return fuse(merged).to(memory_format=torch.channels_last)
