"""EfficientNet-Lite0: its shapes, its padding, its published names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from omninet.training.distill.lite import EfficientNetLite0, renamed


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    torch.manual_seed(0)
    return EfficientNetLite0().eval()


def test_its_size_and_shapes(network: EfficientNetLite0) -> None:
    assert sum(p.numel() for p in network.parameters()) == 4_652_008
    with torch.no_grad():
        stem = network.stem(torch.rand(1, 3, 64, 64))
        maps = network.top(network.blocks(stem))
    assert (stem.shape, maps.shape) == ((1, 32, 32, 32), (1, 1280, 2, 2))


def test_strided_convolutions_are_padded_at_the_end(network: EfficientNetLite0) -> None:
    """TensorFlow's "SAME" for an even side: the first window begins at the first pixel."""
    pixels = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        found = network.stem[1](network.stem[0](pixels))
        alone = functional.conv2d(pixels[..., :3, :3], network.state_dict()["stem.conv.weight"])
    torch.testing.assert_close(found[..., :1, :1], alone)


def test_published_names_are_renamed(network: EfficientNetLite0) -> None:
    ours = network.state_dict()
    published = {"_fc.weight", "_bn1.running_mean", "_blocks.3._depthwise_conv.weight", "_blocks.15._bn2.bias"}

    found = renamed(dict.fromkeys(published, torch.zeros(1, dtype=torch.float16)))

    assert {name for name in found if "num_batches" not in name} == {
        "classifier.weight",
        "top.norm.running_mean",
        "blocks.3.depthwise.conv.weight",
        "blocks.15.project.norm.bias",
    }
    assert found.keys() <= ours.keys()
    assert found["top.norm.num_batches_tracked"] == 0
    assert renamed(found) == found


def test_the_published_weights_fit(network: EfficientNetLite0, shared: Path) -> None:
    weights = renamed(load_file(shared / "weights" / "efficientnet_lite0_fp16.safetensors"))

    assert weights.keys() == network.state_dict().keys()
