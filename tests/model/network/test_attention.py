"""Attention and gated attention, on small numbers computed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from omninet.model.config import CNPConfig
from omninet.model.network.attention import (
    AttentionWeights,
    GatedAttention,
    MultiHeadAttention,
    Source,
    gate_from_temporal,
    open_empty_rows,
)
from tests.model.networks import GATES, SMALL, WIDTH, fill, numbers

CONFIG = CNPConfig(**SMALL)
QUERIES = numbers("queries", 2, 3, WIDTH)
OTHERS = numbers("others", 2, 5, WIDTH)


def attention() -> MultiHeadAttention:
    layer = MultiHeadAttention(CONFIG).double().eval()
    fill(layer)
    return layer


def attend(layer: MultiHeadAttention, others: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attend from QUERIES to ``others``, (b, n, d)."""
    flat = QUERIES.flatten(0, 1)
    changed, _ = layer(flat, layer.query(flat), [Source(QUERIES.shape[1], *layer.keys_values(others), mask)])
    assert isinstance(changed, Tensor)
    return changed.view_as(QUERIES)


def attention_of(log_weights: Tensor) -> AttentionWeights:
    """Attention with the given logarithms of the weights, without dropout."""
    return AttentionWeights(log_weights, log_weights.exp())


def test_open_empty_rows_changes_all_false_rows_only() -> None:
    mask = torch.tensor([[True, False], [False, False]])

    assert open_empty_rows(mask).tolist() == [[True, False], [True, True]]


def test_masked_keys_have_no_influence() -> None:
    layer = attention()
    mask = torch.tensor([True, True, False, True, False])[None, None, None]

    hidden, absent = attend(layer, OTHERS, mask), attend(layer, OTHERS[:, [0, 1, 3]])

    torch.testing.assert_close(hidden, absent, rtol=0, atol=1e-13)


def test_queries_of_several_sources_share_one_matrix() -> None:
    layer = attention()
    sources = [Source(3, *layer.keys_values(OTHERS)), Source(1, *layer.keys_values(OTHERS[:1, :2]))]
    lone = numbers("lone", 1, 1, WIDTH)

    flat = torch.cat([QUERIES.flatten(0, 1), lone[0]])
    together, found = layer(flat, layer.query(flat), sources)

    torch.testing.assert_close(together[:6].view_as(QUERIES), attend(layer, OTHERS), rtol=0, atol=1e-13)
    torch.testing.assert_close(together[6:], layer(lone[0], layer.query(lone[0]), sources[1:])[0], rtol=0, atol=1e-13)
    assert [each.scores.shape for each in found] == [(2, CONFIG.heads, 3, 5), (1, CONFIG.heads, 1, 2)]


def test_weights_multiply_the_values() -> None:
    layer = attention()
    sources = [Source(3, *layer.keys_values(OTHERS))]
    flat = QUERIES.flatten(0, 1)

    _, (alone,) = layer(flat, layer.query(flat), sources)
    layer.weight_dropout.p = 0.5
    _, (dropped,) = layer.train()(flat, layer.query(flat), sources)

    torch.testing.assert_close(alone.weights, alone.scores.softmax(-1))
    assert torch.equal(dropped.scores, alone.scores)
    kept = dropped.weights != 0
    assert 0 < kept.sum() < kept.numel()
    torch.testing.assert_close(dropped.weights[kept], 2 * alone.weights[kept])


def test_keys_and_values_may_differ_in_width() -> None:
    keys, values = attention().keys_values(OTHERS)

    assert keys.shape == (2, CONFIG.heads, 5, CONFIG.d_key)
    assert values.shape == (2, CONFIG.heads, 5, CONFIG.d_value)


def test_order_of_keys_does_not_matter() -> None:
    layer = attention()

    torch.testing.assert_close(attend(layer, OTHERS), attend(layer, OTHERS.flip(1)), rtol=0, atol=1e-13)


def test_gate_repeats_the_temporal_weight_of_the_frame() -> None:
    temporal = torch.tensor([0.1, 0.2, 0.7]).log().view(1, 1, 1, 3)

    gate = gate_from_temporal(temporal, torch.tensor([[1, 1, 2, 2]])).exp()

    torch.testing.assert_close(gate.flatten(), torch.tensor([0.2, 0.2, 0.7, 0.7]))


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        # All scores are 0: each of the four cells has weight 1/4 before the gate.
        ("paper", [0.25 * 0.2, 0.25 * 0.2, 0.25 * 0.7, 0.25 * 0.7]),
        ("official", [0.25, 0.25, 0.25, 0.25]),
        ("normalised", [0.2 / 1.8, 0.2 / 1.8, 0.7 / 1.8, 0.7 / 1.8]),
    ],
)
def test_each_gate_on_equal_scores(gate: str, expected: list[float]) -> None:
    layer = GatedAttention(CNPConfig(**{**SMALL, "gate": gate})).double()
    torch.nn.init.zeros_(layer.query.weight)
    torch.nn.init.zeros_(layer.query.bias)
    keys, values = layer.keys_values(numbers("cells", 1, 4, WIDTH))
    temporal = torch.tensor([0.1, 0.2, 0.7], dtype=torch.float64).log().expand(1, CONFIG.heads, 1, 3)

    x = QUERIES[0, :1]
    _, (weights,) = layer.attend(
        x, layer.query(x), [Source(1, keys, values)], [attention_of(temporal)], [torch.tensor([[1, 1, 2, 2]])]
    )

    for head in weights[0]:
        torch.testing.assert_close(head[0], torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("gate", GATES)
def test_a_closed_gate_masks_except_in_the_official_variant(gate: str) -> None:
    layer = GatedAttention(CNPConfig(**{**SMALL, "gate": gate})).double()
    fill(layer)
    keys, values = layer.keys_values(numbers("cells", 1, 4, WIDTH))
    temporal = torch.tensor([1.0, 0.0], dtype=torch.float64).log().expand(1, CONFIG.heads, 1, 2)

    x = QUERIES[0, :1]
    _, (weights,) = layer.attend(
        x, layer.query(x), [Source(1, keys, values)], [attention_of(temporal)], [torch.tensor([[0, 0, 1, 1]])]
    )

    assert bool((weights[..., 2:] > 0).all()) == (gate == "official")
    assert (weights[..., :2] > 0).all()
