"""Linear layers for CPU inference: weights packed for oneDNN, in float32, bfloat16 or int8."""

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

MIN_WEIGHTS = 2**16  # weights of a layer; smaller layers are not faster in int8
PACKED = 3 * 2**16  # weights of a layer in float32; in smaller ones a call of oneDNN costs more than its layout saves
EIGHT_BITS = "avx512_vnni", "avx_vnni", "amx_int8"
"""Instructions without which int16 sums overflow, unless inputs are reduced to seven bits."""
FEW = 2  # rows that are multiplied without oneDNN in large layers as well
MAX_PEAK = 4  # peak weight / RMS weight of an output; above it int8 is too coarse for the other weights


class QuickLinear(nn.Module):
    """Linear layers of the same input, merged into one matrix product; input and output are float32.

    Args:
        layers: layers to merge; either all have a bias or none has.
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
        """Total output width of all layers."""
        return sum(self.widths)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs of all layers, joined: (..., in) -> (..., out)."""
        return self.product(x)

    def parts(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the output of each layer: (..., in) -> (..., width of the layer) each."""
        return torch.split(self.product(x), self.widths, -1)


def compose(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """Compose two linear layers into one: second(first(x))."""
    one = nn.Linear(first.in_features, second.out_features, device="meta")
    weight, then = first.weight.detach().double(), second.weight.detach().double()
    bias = then @ first.bias.double() + second.bias.double()
    one.weight = nn.Parameter((then @ weight).to(first.weight.dtype), requires_grad=False)
    one.bias = nn.Parameter(bias.to(first.weight.dtype), requires_grad=False)
    return one


def product(weight: Tensor, bias: Tensor | None, precision: Precision) -> Product:
    """Return the function x (..., in) -> x @ weight.T + bias, computed in a precision.

    Args:
        weight, bias: (out, in) and (out,), float32.

    Raises:
        DeviceError: ``int8`` is not supported here.
    """
    if precision == "int8" and weight.numel() >= MIN_WEIGHTS and _suits_int8(weight):
        return _int8_product(weight, bias)
    return _bfloat16_product(weight, bias) if precision == "bfloat16" else _float32_product(weight, bias)


def _float32_product(weight: Tensor, bias: Tensor | None) -> Product:
    """Return a float32 product that reads the weights of large layers in one layout for few rows, in another for more.

    Few rows take as long as reading the weights. Along the longer side they are read up to twice as fast.
    """
    read = weight if weight.shape[0] < weight.shape[1] else weight.t().contiguous().t()
    if weight.numel() < PACKED or not can_pack(torch.float32):
        return lambda x: functional.linear(x, read, bias)
    packed = _pack(weight)
    return lambda x: functional.linear(x, read, bias) if x.numel() <= FEW * x.shape[-1] else _multiply(x, packed, bias)


def _bfloat16_product(weight: Tensor, bias: Tensor | None) -> Product:
    weight, bias = weight.bfloat16(), None if bias is None else bias.bfloat16()
    if not can_pack(torch.bfloat16):
        return lambda x: functional.linear(x.bfloat16(), weight, bias).float()
    packed = _pack(weight)
    return lambda x: _multiply(x.bfloat16(), packed, bias).float()


def can_pack(dtype: torch.dtype) -> bool:
    """Return True if packed products work and are correct here; tested, because the torch operators are private."""
    weight, bias, x = torch.eye(16, 32, dtype=dtype), torch.ones(16, dtype=dtype), torch.ones(2, 32, dtype=dtype)
    try:
        return torch.equal(_multiply(x, _pack(weight), bias), functional.linear(x, weight, bias))
    except (AttributeError, RuntimeError):
        return False


def _pack(weight: Tensor) -> Tensor:
    """Reorder a weight to the layout of oneDNN; without it, oneDNN reorders at every call, which is half as fast."""
    return cast("Tensor", torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()))


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return cast("Tensor", torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], ""))


def _suits_int8(weight: Tensor) -> bool:
    """Return False for weights with outliers, such as the diagonal of layers initialised as the identity."""
    return bool((weight.abs().amax(1) / weight.square().mean(1).sqrt()).median() <= MAX_PEAK)


def _int8_product(weight: Tensor, bias: Tensor | None) -> Product:
    """Return an int8 product: weights with one scale per output, inputs quantised dynamically with one scale per call.

    Raises:
        DeviceError: this build of torch has no int8 products.
    """
    scale = (weight.abs().amax(1) / 127).clamp(min=torch.finfo(torch.float32).tiny).double()
    zeros = torch.zeros(len(scale), dtype=torch.long)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecation warning of quantised tensors
            quantised = torch.quantize_per_channel(weight, scale, zeros, 0, torch.qint8)
            packed = torch.ops.quantized.linear_prepack(quantised, bias)
    except (AttributeError, RuntimeError) as error:
        raise DeviceError(f"this build of torch has no int8 products: {error}; choose float32") from error
    seven_bits = not cpu_has(*EIGHT_BITS)
    return lambda x: cast("Tensor", torch.ops.quantized.linear_dynamic(x, packed, seven_bits))
