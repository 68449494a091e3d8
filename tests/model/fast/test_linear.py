"""Linear layers for CPU inference."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from omninet.model.errors import DeviceError
from omninet.model.fast import linear as products
from omninet.model.fast.devices import Precision, cpu_has
from omninet.model.fast.linear import QuickLinear, can_pack, compose

SHAPES = [(), (1,), (7,), (2, 3), (2, 1, 5), (0,)]
packs = pytest.mark.skipif(not can_pack(torch.float32), reason="this torch packs no weights")


def linear(width: int = 48, out: int = 40, bias: bool = True) -> nn.Linear:
    return nn.Linear(width, out, bias=bias).requires_grad_(False)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_equal_those_of_nn_linear(shape: tuple[int, ...], bias: bool) -> None:
    plain = linear(bias=bias)
    x = torch.randn(*shape, 96)[..., ::2]

    torch.testing.assert_close(QuickLinear([plain], "float32")(x), plain(x))


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.02), ("int8", 0.05)])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_other_precisions(shape: tuple[int, ...], precision: Precision, tolerance: float) -> None:
    plain = linear(256, 300)
    x = torch.randn(*shape, 512)[..., ::2]

    found = QuickLinear([plain], precision)(x)

    assert found.dtype == torch.float32
    assert not torch.equal(found, plain(x)) or not x.numel()
    torch.testing.assert_close(found, plain(x), rtol=0, atol=tolerance)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, products.FEW, products.FEW + 1, 40])
@pytest.mark.parametrize(("width", "out"), [(512, 600), (600, 512)])
def test_large_layers_are_equal_for_few_and_many_rows(width: int, out: int, rows: int, bias: bool) -> None:
    plain, x = linear(width, out, bias), torch.randn(rows, width)
    assert plain.weight.numel() >= products.PACKED

    torch.testing.assert_close(QuickLinear([plain], "float32")(x), plain(x))


def test_a_small_layer_is_not_quantised() -> None:
    plain, x = linear(), torch.randn(3, 48)

    torch.testing.assert_close(QuickLinear([plain], "int8")(x), plain(x))


def test_a_layer_near_the_identity_is_not_quantised() -> None:
    plain, x = linear(256, 256), torch.randn(3, 256)
    plain.weight += 2 * torch.eye(256)

    torch.testing.assert_close(QuickLinear([plain], "int8")(x), plain(x))


@pytest.mark.parametrize("bias", [True, False])
def test_merged_layers_of_one_input(bias: bool) -> None:
    layers, x = [linear(out=width, bias=bias) for width in (8, 24, 16)], torch.randn(5, 48)

    joined = QuickLinear(layers, "float32")

    assert (joined.in_features, joined.out_features) == (48, 48)
    for found, layer in zip(joined.parts(x), layers, strict=True):
        torch.testing.assert_close(found, layer(x))


def test_compose() -> None:
    first, second, x = linear(32, 20), linear(20, 12), torch.randn(5, 32)

    torch.testing.assert_close(compose(first, second)(x), second(first(x)))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_without_packing(precision: Precision, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, x = linear(), torch.randn(3, 48)
    packed = QuickLinear([plain], precision)(x)

    def missing(_weight: Tensor) -> Tensor:
        raise AttributeError("no such operator")

    monkeypatch.setattr(products, "_pack", missing)

    assert not can_pack(torch.float32)
    torch.testing.assert_close(QuickLinear([plain], precision)(x), packed)


def test_a_wrong_operator_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_multiply", lambda x, weight, bias: x[:, :16] * 0)

    assert not can_pack(torch.float32)


def test_without_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Tensor:
        raise RuntimeError("no engine")

    monkeypatch.setattr(torch, "quantize_per_channel", missing)

    with pytest.raises(DeviceError, match="no int8 products: no engine"):
        QuickLinear([linear(256, 300)], "int8")


@packs
def test_inputs_have_seven_bits_only_where_sums_would_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, x = linear(256, 300), torch.randn(3, 256)
    chosen = QuickLinear([plain], "int8")(x)
    monkeypatch.setattr(products, "cpu_has", partial(_has, answer=not cpu_has(*products.EIGHT_BITS)))
    other = QuickLinear([plain], "int8")(x)

    assert (chosen - plain(x)).abs().mean() < (other - plain(x)).abs().mean()


def _has(*_instructions: str, answer: bool) -> bool:
    return answer
