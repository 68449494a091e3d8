"""The optimised network for inference."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from omninet.model.checkpoint import Checkpoint
from omninet.model.config import ConvolutionsConfig, ExpertsConfig
from omninet.model.fast.devices import Precision
from omninet.model.fast.inference import for_inference
from omninet.model.fast.layers import QuickDecoderLayer, QuickEncoderLayer
from omninet.model.fast.linear import QuickLinear
from omninet.model.modalities.peripheral import backboned
from omninet.model.network.omninet import OmniNet

CPU = torch.device("cpu")


def scores(network: OmniNet) -> Tensor:
    """Teacher-forced log-probabilities of a caption."""
    pixels = torch.randint(0, 256, (2, 3, 3, 64, 64), dtype=torch.uint8, generator=torch.manual_seed(0))
    targets = torch.arange(8).view(2, 4)
    with torch.inference_mode():
        memory = network.encode([("vision", "image", pixels)])
        assert memory.temporal.dtype == torch.float32
        return network.cnp.decode(memory, "caption", targets)


def count(network: OmniNet, kind: type[nn.Module]) -> int:
    return sum(type(module) is kind for module in network.modules())


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.2), ("int8", 0.2)])
def test_it_answers_the_same(toy: Checkpoint, precision: Precision, tolerance: float) -> None:
    quick = for_inference(toy.network, CPU, precision)

    torch.testing.assert_close(scores(quick), scores(toy.network), rtol=0, atol=tolerance)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.2), ("int8", 0.2)])
def test_it_answers_the_same_with_every_block(toy: Checkpoint, precision: Precision, tolerance: float) -> None:
    layers = range(toy.network.config.cnp.encoder_layers)
    cnp = replace(
        toy.network.config.cnp,
        experts=ExpertsConfig(number=4, encoder=tuple(layers), decoder=(0,)),
        convolutions=ConvolutionsConfig(encoder="beside", decoder=True),
        mixer=True,
    )
    torch.manual_seed(0)
    network = OmniNet(replace(toy.network.config, cnp=cnp)).eval()
    network.load_state_dict(toy.network.state_dict(), strict=False)
    quick = for_inference(network, CPU, precision)

    assert count(quick, nn.Linear) == 0
    torch.testing.assert_close(scores(quick), scores(network), rtol=0, atol=tolerance)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_original_network_is_unchanged(toy: Checkpoint, precision: Precision) -> None:
    before = {name: tensor.clone() for name, tensor in toy.network.state_dict().items()}

    quick = for_inference(toy.network, CPU, precision)

    after = toy.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(before[name].dtype == after[name].dtype for name in before)
    assert count(quick, nn.BatchNorm2d) == 0
    assert count(toy.network, nn.BatchNorm2d) == 21
    embedding = "output_embeddings.caption.weight"
    assert quick.cnp.get_parameter(embedding) is toy.network.cnp.get_parameter(embedding)


def test_no_tensor_is_shared_on_another_device(toy: Checkpoint) -> None:
    quick = for_inference(toy.network, torch.device("meta"), "bfloat16")

    assert {(p.device.type, p.dtype) for p in quick.parameters()} == {("meta", torch.bfloat16)}
    assert {(p.device.type, p.dtype) for p in toy.network.parameters()} == {("cpu", torch.float32)}


def test_backbone_and_products_use_the_precision_and_the_rest_float32(toy: Checkpoint) -> None:
    quick = for_inference(toy.network, CPU, "bfloat16")

    assert {p.dtype for p in backboned(quick)[0].backbone.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in quick.cnp.parameters()} == {torch.float32}


def test_layers_are_joined(toy: Checkpoint) -> None:
    config = toy.network.config.cnp
    quick = for_inference(toy.network, CPU, "float32")

    assert count(quick, nn.Linear) == 0
    assert count(quick, QuickEncoderLayer) == config.encoder_layers
    assert count(quick, QuickDecoderLayer) == config.decoder_layers
    # Three layers merge into one, and twice two into one; keys and values of the memory are projected once.
    saved = 2 * config.encoder_layers + 4 * config.decoder_layers
    assert count(quick, QuickLinear) == count(toy.network, nn.Linear) - saved
