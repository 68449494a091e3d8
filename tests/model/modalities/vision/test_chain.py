"""The chain of convolutions: its grid, its size, and that it computes the same when served."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from omninet.model.fast.inference import folded
from omninet.model.modalities.vision.chain import ChainNet


@pytest.fixture
def network() -> ChainNet:
    """Small, with statistics and weights as after some training."""
    torch.manual_seed(0)
    network = ChainNet(8, (8, 16, 24), (2, 1, 2))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
            ):
                assert tensor is not None
                nn.init.uniform_(tensor, low, high)
    return network.eval()


@pytest.mark.parametrize("serve", [ChainNet.merged, folded])
@torch.no_grad()
def test_the_merged_network_is_equivalent(network: ChainNet, serve: Callable[[ChainNet], nn.Module]) -> None:
    pixels = torch.randn(2, 3, 96, 128)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    served = serve(network)

    torch.testing.assert_close(served(pixels), network(pixels), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_merged_network_is_a_chain_of_convolutions(network: ChainNet) -> None:
    kinds = {type(module) for module in folded(network).modules() if not list(module.children())}

    assert kinds == {nn.Conv2d, nn.ReLU}


def test_grid_and_number_of_parameters() -> None:
    with torch.device("meta"):
        network = ChainNet()
        maps = network(torch.empty(1, 3, 224, 224))

    assert maps.shape == (1, ChainNet.out_channels, 7, 7)
    assert sum(parameter.numel() for parameter in network.parameters()) < 10_000_000
