"""Convolutions with packed weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from omninet.model.checkpoint import Checkpoint
from omninet.model.fast import convolution
from omninet.model.fast.convolution import PackedConvolution, packed_convolutions
from omninet.model.fast.inference import for_inference
from omninet.model.modalities.peripheral import backboned


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("geometry", [(1, 0, 1, 1), (3, 1, 2, 1), (3, 2, 1, 2)])
def test_outputs_equal_those_of_conv2d_at_any_size(
    geometry: tuple[int, int, int, int], bias: bool, groups: int
) -> None:
    kernel, padding, stride, dilation = geometry
    layer = nn.Conv2d(8, 12, kernel, stride, padding, dilation, groups, bias).requires_grad_(False)
    packed = PackedConvolution(layer, [1, 8, 14, 14])

    for size in ((1, 8, 14, 14), (5, 8, 14, 14), (2, 8, 9, 17)):
        x = torch.randn(size, generator=torch.manual_seed(0)).contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(packed(x), layer(x))


def test_all_convolutions_of_a_backbone_are_packed(toy: Checkpoint) -> None:
    quick = for_inference(toy.network, torch.device("cpu"), "float32")

    kinds = [type(module) for module in backboned(quick)[0].backbone.modules()]
    assert PackedConvolution in kinds
    assert nn.Conv2d not in kinds


def test_without_the_operators_nothing_is_packed(toy: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Tensor:
        raise AttributeError("no such operator")

    monkeypatch.setattr(convolution, "PackedConvolution", missing)

    assert packed_convolutions(backboned(toy.network)[0]) == {}


def test_a_backbone_that_answers_otherwise_is_not_packed(toy: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackedConvolution, "forward", _doubled)
    monkeypatch.setattr(PackedConvolution, "__init__", _with_plain)

    assert packed_convolutions(backboned(toy.network)[0]) == {}


def _with_plain(self: PackedConvolution, layer: nn.Conv2d, _size: list[int]) -> None:
    nn.Module.__init__(self)
    self.plain = layer


def _doubled(self: PackedConvolution, x: Tensor) -> Tensor:
    assert isinstance(self.plain, nn.Conv2d)
    doubled: Tensor = 2 * self.plain(x)
    return doubled
