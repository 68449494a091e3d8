"""A network as it answers quickest: the same numbers within rounding, and nothing that could be trained or saved."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from model.omninet import OmniNet
from model.peripherals.vision import VisionPeripheral


def for_inference(network: OmniNet, device: torch.device, dtype: torch.dtype) -> OmniNet:
    """A network beside the given one, of which it shares what it can, on a device."""
    quick = _replaced(network, {id(_vision(network).backbone): _folded(_vision(network).backbone)})
    quick = quick.to(device, dtype).eval().requires_grad_(False)
    if device.type == "cpu" and can_pack(dtype):
        quick = _replaced(quick, {id(m): PackedLinear(m) for m in quick.modules() if type(m) is nn.Linear})
    return quick


class PackedLinear(nn.Module):
    """A linear layer whose weight lies as oneDNN reads it: twice as quick as one that packs it at every call."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.packed = _pack(linear.weight.detach())
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return _multiply(x, self.packed, self.bias)


def can_pack(dtype: torch.dtype) -> bool:
    """Whether this torch and this processor do it, and do it right; the operators are not public."""
    weight, bias, x = torch.eye(16, 32, dtype=dtype), torch.ones(16, dtype=dtype), torch.ones(2, 32, dtype=dtype)
    try:
        return torch.equal(_multiply(x, _pack(weight), bias), nn.functional.linear(x, weight, bias))
    except (AttributeError, RuntimeError):
        return False


def _pack(weight: Tensor) -> Tensor:
    return cast("Tensor", torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()))


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return cast("Tensor", torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], ""))


def _folded(backbone: nn.Module) -> nn.Module:
    """The same maps from a copy that has every batch norm in the convolution before it."""
    return fuse(backbone).to(memory_format=torch.channels_last)


def _vision(network: OmniNet) -> VisionPeripheral:
    vision = network.peripherals["vision"]
    assert isinstance(vision, VisionPeripheral)
    return vision


def _replaced(network: OmniNet, modules: dict[int, nn.Module]) -> OmniNet:
    """A network with other modules in the places of some, by their id; all else has the same tensors."""
    memo: dict[int, Any] = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    return copy.deepcopy(network, memo | modules)
