"""Products of a CPU with weights that lie as its libraries read them, in one of the precisions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.errors import DeviceError
from omninet.model.fast.devices import Precision, cpu_has

Product = Callable[[Tensor], Tensor]

LARGE = 2**16  # weights; below that, eight bits save nothing
EVEN = 4  # the largest weight of an output, in their root mean square; above it eight bits are too few for the others


class QuickLinear(nn.Module):
    """Linear layers of one input as one product: float32 comes in and goes out, whatever is between.

    Args:
        layers: none with a bias, or all.
    """

    def __init__(self, layers: Sequence[nn.Linear], precision: Precision) -> None:
        super().__init__()
        self.in_features = layers[0].in_features
        self.widths = [layer.out_features for layer in layers]
        weight = torch.cat([layer.weight.detach() for layer in layers])
        biases = [layer.bias.detach() for layer in layers if layer.bias is not None]
        self.product = product(weight, torch.cat(biases) if biases else None, precision)

    @property
    def out_features(self) -> int:
        """Of all layers."""
        return sum(self.widths)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return self.product(x)

    def parts(self, x: Tensor) -> tuple[Tensor, ...]:
        """(..., in) -> what each layer makes of it."""
        return torch.split(self.product(x), self.widths, -1)


def after(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """The one layer that is two, one after the other."""
    one = nn.Linear(first.in_features, second.out_features, device="meta")
    weight, then = first.weight.detach().double(), second.weight.detach().double()
    one.weight = nn.Parameter((then @ weight).float(), requires_grad=False)
    one.bias = nn.Parameter((then @ first.bias.double() + second.bias.double()).float(), requires_grad=False)
    return one


def product(weight: Tensor, bias: Tensor | None, precision: Precision) -> Product:
    """x (..., in) -> x @ weight.T + bias, weight (out, in) and bias (out) in float32."""
    if precision == "int8" and weight.numel() >= LARGE and _is_even(weight):
        return _of_bytes(weight, bias)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    weight, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
    if not can_pack(dtype):
        return lambda x: functional.linear(x.to(dtype), weight, bias).float()
    packed = _pack(weight)
    return lambda x: _multiply(x.to(dtype), packed, bias).float()


def can_pack(dtype: torch.dtype) -> bool:
    """Whether this torch and this processor do it, and do it right; the operators are not public."""
    weight, bias, x = torch.eye(16, 32, dtype=dtype), torch.ones(16, dtype=dtype), torch.ones(2, 32, dtype=dtype)
    try:
        return torch.equal(_multiply(x, _pack(weight), bias), functional.linear(x, weight, bias))
    except (AttributeError, RuntimeError):
        return False


def _pack(weight: Tensor) -> Tensor:
    """As oneDNN reads it: twice as quick as one that packs it at every call."""
    return cast("Tensor", torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()))


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return cast("Tensor", torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], ""))


def _is_even(weight: Tensor) -> bool:
    """Whether no weight is far above the others; in a layer that began as the identity those of the diagonal are."""
    return bool((weight.abs().amax(1) / weight.square().mean(1).sqrt()).median() <= EVEN)


def _of_bytes(weight: Tensor, bias: Tensor | None) -> Product:
    """Weights in eight bits with a scale for each output, inputs in eight bits with a scale for each call.

    Raises:
        DeviceError: this torch has no such product.
    """
    scale = (weight.abs().amax(1) / 127).clamp(min=torch.finfo(torch.float32).tiny).double()
    zeros = torch.zeros(len(scale), dtype=torch.long)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that torch will drop its quantised tensors one day
            quantised = torch.quantize_per_channel(weight, scale, zeros, 0, torch.qint8)
            packed = torch.ops.quantized.linear_prepack(quantised, bias)
    except (AttributeError, RuntimeError) as error:
        raise DeviceError(f"this torch has no products of int8 here: {error}") from error
    # Without these instructions sums of sixteen bits overflow, unless inputs have but seven.
    seven_bits = not cpu_has("avx512_vnni", "avx_vnni", "amx_int8")
    return lambda x: cast("Tensor", torch.ops.quantized.linear_dynamic(x, packed, seven_bits))
