"""The network that answers beside the one that is trained and saved."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from model import inference
from model.checkpoint import Checkpoint
from model.inference import PackedLinear, can_pack, for_inference
from model.omninet import OmniNet

CPU = torch.device("cpu")


def scores(network: OmniNet, dtype: torch.dtype = torch.float32) -> Tensor:
    """Log-probabilities of a caption."""
    pixels = torch.randint(0, 256, (2, 3, 3, 64, 64), dtype=torch.uint8, generator=torch.manual_seed(0))
    targets = torch.arange(8).view(2, 4)
    with torch.inference_mode():
        memory = network.encode([("vision", pixels)])
        assert memory.temporal.dtype == dtype
        return network.cnp.decode(memory, "caption", targets)


def count(network: OmniNet, kind: type[nn.Module]) -> int:
    return sum(type(module) is kind for module in network.modules())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.2)])
def test_it_answers_the_same(toy: Checkpoint, dtype: torch.dtype, tolerance: float) -> None:
    wanted = scores(toy.network)

    quick = for_inference(toy.network if dtype == torch.float32 else _copy(toy.network), CPU, dtype)

    torch.testing.assert_close(scores(quick, dtype), wanted, rtol=0, atol=tolerance)


def _copy(network: OmniNet) -> OmniNet:
    other = OmniNet(network.config).eval()
    other.load_state_dict(network.state_dict())
    return other


def test_the_given_network_stays_as_it_is(toy: Checkpoint) -> None:
    before = {name: tensor.clone() for name, tensor in toy.network.state_dict().items()}

    quick = for_inference(toy.network, CPU, torch.float32)

    after = toy.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert count(quick, nn.BatchNorm2d) == 0
    assert count(toy.network, nn.BatchNorm2d) == 21
    embedding = "output_embeddings.caption.weight"
    assert quick.cnp.get_parameter(embedding) is toy.network.cnp.get_parameter(embedding)


@pytest.mark.skipif(not can_pack(torch.float32), reason="this torch packs no weights")
def test_every_linear_layer_is_packed(toy: Checkpoint) -> None:
    quick = for_inference(toy.network, CPU, torch.float32)

    assert count(quick, nn.Linear) == 0
    assert count(quick, PackedLinear) == count(toy.network, nn.Linear)


@pytest.mark.skipif(not can_pack(torch.float32), reason="this torch packs no weights")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (2, 3), (2, 1, 5), (0,)])
def test_a_packed_layer_takes_what_a_linear_one_takes(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(24, 40, bias=bias).requires_grad_(False)
    x = torch.randn(*shape, 48)[..., ::2]

    torch.testing.assert_close(PackedLinear(linear)(x), linear(x))


def test_where_nothing_can_be_packed_linear_layers_stay(toy: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_weight: Tensor) -> Tensor:
        raise AttributeError("no such operator")

    monkeypatch.setattr(inference, "_pack", missing)

    quick = for_inference(toy.network, CPU, torch.float32)

    assert count(quick, PackedLinear) == 0
    torch.testing.assert_close(scores(quick), scores(toy.network))


def test_an_operator_that_is_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "_multiply", lambda x, weight, bias: x[:, :16] * 0)

    assert not can_pack(torch.float32)
