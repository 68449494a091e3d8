"""The position table and the encoder layer."""

from __future__ import annotations

import math

import torch

from model.config import CNPConfig
from model.layers import EncoderLayer, hide, sinusoid_table
from tests.model.networks import SMALL, WIDTH, fill, numbers


def test_sinusoid_table() -> None:
    table = sinusoid_table(positions=7, width=5)

    assert table.shape == (8, 5)
    assert not table[0].any()
    for position in range(1, 8):
        for i in range(5):
            angle = position / 10000 ** (2 * (i // 2) / 5)
            expected = math.sin(angle) if i % 2 == 0 else math.cos(angle)
            assert math.isclose(table[position, i].item(), expected, abs_tol=1e-7)


def test_hide_keeps_the_type() -> None:
    x = torch.ones(2, 3, dtype=torch.bfloat16)

    hidden = hide(x, torch.tensor([True, False]))

    assert hidden.dtype == torch.bfloat16
    assert hidden.sum(-1).tolist() == [3, 0]
    assert hide(x, None) is x


def test_padding_comes_out_as_zeros() -> None:
    layer = EncoderLayer(CNPConfig(**SMALL)).double().eval()
    fill(layer)
    mask = torch.tensor([[True, True, False], [False, False, False]])

    x = layer(numbers("steps", 2, 3, WIDTH), mask)

    assert x[mask].all()
    assert not x[~mask].any()
