"""Position table, encoder and decoder layers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from omninet.model.config import CNPConfig, Gate
from omninet.model.network.builder import encoder_layer
from omninet.model.network.layers import DecoderLayer, MemoryMasks, Prefix, sinusoid_table, zero_padding
from tests.model.networks import GATES, IMAGE, SMALL, WIDTH, fill, numbers, small_cnp


def test_sinusoid_table() -> None:
    table = sinusoid_table(positions=7, width=5)

    assert table.shape == (8, 5)
    assert not table[0].any()
    for position in range(1, 8):
        for i in range(5):
            angle = position / 10000 ** (2 * (i // 2) / 5)
            expected = math.sin(angle) if i % 2 == 0 else math.cos(angle)
            assert math.isclose(table[position, i].item(), expected, abs_tol=1e-7)


def test_zero_padding_keeps_the_dtype() -> None:
    x = torch.ones(2, 3, dtype=torch.bfloat16)

    hidden = zero_padding(x, torch.tensor([True, False]))

    assert hidden.dtype == torch.bfloat16
    assert hidden.sum(-1).tolist() == [3, 0]
    assert zero_padding(x, None) is x


def test_padded_outputs_are_zero() -> None:
    layer = encoder_layer(CNPConfig(**SMALL), 0).double().eval()
    fill(layer)
    mask = torch.tensor([[True, True, False], [False, False, False]])

    x = layer(numbers("steps", 2, 3, WIDTH), mask)

    assert x[mask].all()
    assert not x[~mask].any()


@pytest.mark.parametrize("gate", GATES)
def test_dropout_applies_to_the_official_gate_only(gate: Gate) -> None:
    """An image has one step: its gate is 1, but 0 or 2 with the official gate and attention dropout 0.5 in training."""
    cnp = small_cnp(gate=gate)
    layer = cnp.decoder.layers[0].train()
    assert isinstance(layer, DecoderLayer)
    layer.temporal_attention.weight_dropout.p = 0.5
    memory = cnp.encode(IMAGE.values(), "image")
    queries: list[Tensor] = []
    layer.spatial_attention.query.register_forward_hook(lambda _, args, output: queries.append(output))
    n = 8
    prefix = Prefix(
        1, n, [layer.project_memory(memory)], MemoryMasks.of(memory), torch.ones(1, 1, n, n, dtype=torch.bool)
    )

    torch.manual_seed(0)
    _, seen = layer(numbers("outputs", n, WIDTH), [prefix], 0, prefix.memories)

    keys, _ = layer.spatial_attention.keys_values(memory.spatial)
    scores = layer.spatial_attention.split(queries[0], n) @ keys.transpose(-1, -2) * layer.spatial_attention.scale
    as_if = {opening: (opening * scores).softmax(-1) for opening in (0, 1, 2)}
    assert seen.spatial.shape == scores.shape
    found = {opening for opening, weights in as_if.items() if (seen.spatial - weights).abs().amax(-1).min() < 1e-12}
    assert found == ({0, 2} if gate == "official" else {1})


def test_the_encoder_may_stop_at_a_depth() -> None:
    cnp = small_cnp()
    encoder = cnp.temporal_encoder
    x = numbers("x", 2, 4, WIDTH)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    runs: list[int] = []
    for number, layer in enumerate(encoder.layers):
        layer.register_forward_hook(lambda *_, number=number: runs.append(number))

    with torch.no_grad():
        first = next(encoder.depths(x, mask))
        assert runs == [0]
        every = list(encoder.depths(x, mask))
        whole = encoder(x, mask)

    assert len(every) == SMALL["encoder_layers"]
    assert torch.equal(first, every[0])
    assert torch.equal(whole, every[-1])
