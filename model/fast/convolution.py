"""Convolutions for CPU inference: weights in the layout of oneDNN."""

from __future__ import annotations

from contextlib import ExitStack
from typing import cast

import torch
from torch import Tensor, nn

from omninet.model.fast.replacement import Replacements, replaced
from omninet.model.modalities.peripheral import BackbonePeripheral

TOLERANCE = 1e-4  # of features, relative to the largest


class PackedConvolution(nn.Module):
    """Conv2d whose weights have the layout of oneDNN for inputs of one size, so that no call has to convert them.

    Args:
        size: of an input, (b, channels, height, width); inputs of other sizes are computed as well.
    """

    def __init__(self, layer: nn.Conv2d, size: list[int]) -> None:
        super().__init__()
        self.geometry = layer.padding, layer.stride, layer.dilation, layer.groups
        self.bias = layer.bias
        weight = layer.weight.detach().contiguous(memory_format=torch.channels_last)
        self.packed = torch.ops.mkldnn._reorder_convolution_weight(weight, *self.geometry, size)

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels, height, width) -> (b, out channels, height, width)."""
        found = torch.ops.mkldnn._convolution_pointwise(x, self.packed, self.bias, *self.geometry, "none", [], "")
        return cast("Tensor", found)


@torch.inference_mode()
def packed_convolutions(peripheral: BackbonePeripheral) -> Replacements:
    """Return the packed convolutions of a backbone as replacements, for one picture at a time.

    They are tested, because the torch operators are private: without them, or if features differ, nothing is replaced.
    """
    sizes: dict[nn.Conv2d, list[int]] = {}
    example = peripheral.example()[:1, :1]

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
            sizes[layer] = list(inputs[0].shape)

    with ExitStack() as hooks:
        for layer in peripheral.backbone.modules():
            hooks.callback(layer.register_forward_pre_hook(note).remove)
        wanted = peripheral.features(example)
    try:
        found: Replacements = {id(layer): PackedConvolution(layer, size) for layer, size in sizes.items()}
        features = replaced(peripheral, found).features(example)
    except (AttributeError, RuntimeError):
        return {}
    agrees = (features - wanted).abs().max() <= TOLERANCE * wanted.abs().max()
    return found if agrees else {}
