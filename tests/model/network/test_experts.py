"""Mixtures of experts: gates, load, and experts that are not used."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import Any

import pytest
import torch
from torch import Tensor

from omninet.model.config import CNPConfig, ExpertsConfig
from omninet.model.errors import ConfigError
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.experts import LEAST_NOISE, Experts, chances, variation
from tests.model.networks import EXPERTS, SMALL, TEXT, WIDTH, Row, assert_same, fill, numbers, small_cnp


def mixture(**changes: Any) -> Experts:
    """Return a mixture with weights, in float64."""
    experts = Experts(CNPConfig(**{**SMALL, "experts": replace(EXPERTS, **changes)}), "encoder 1").double().eval()
    fill(experts)
    return experts


def loop(experts: Experts, x: Tensor) -> Tensor:
    """Return what a mixture answers, position by position and expert by expert."""
    found = []
    for position in x:
        scores = experts.gate @ position
        order = scores.argsort(descending=True)[: experts.chosen]
        total = scores[order].exp().sum()
        mixed = sum((experts.experts[int(i)](position) * scores[i].exp() / total for i in order), position)
        found.append(experts.norm(mixed))
    return torch.stack(found)


@pytest.mark.parametrize("chosen", [1, 2, 3])
def test_a_mixture_equals_a_loop_over_its_experts(chosen: int) -> None:
    experts, x = mixture(chosen=chosen), numbers("x", 17, WIDTH)

    assert_same(experts(x), loop(experts, x))


def test_a_position_is_processed_alike_in_any_batch() -> None:
    experts, x = mixture(), numbers("x", 9, WIDTH)

    assert_same(torch.cat([experts(row[None]) for row in x]), experts(x))
    assert experts(x[:0]).shape == (0, WIDTH)


def test_an_expert_that_is_not_used_gets_no_gradient() -> None:
    experts, x = mixture(), numbers("x", 1, WIDTH)

    experts(x).sum().backward()

    used = [all(p.grad is not None for p in expert.parameters()) for expert in experts.experts]
    assert sum(used) == EXPERTS.chosen
    assert [all(p.grad is None for p in expert.parameters()) for expert in experts.experts] == [not u for u in used]
    assert experts.gate.grad is not None


def test_noise_is_added_in_training_alone() -> None:
    experts, x = mixture(), numbers("x", 5, WIDTH)
    plain = experts(x)

    assert torch.equal(experts(x), plain)
    assert not torch.equal(experts.train()(x), plain)


def test_all_experts_are_tried_at_the_beginning() -> None:
    experts = Experts(CNPConfig(**{**SMALL, "experts": EXPERTS}), "encoder 1").train()
    found = Auxiliary()
    torch.manual_seed(0)

    experts(torch.randn(400, WIDTH), auxiliary=found)

    assert found.loads["encoder 1"].sum() == 400 * EXPERTS.chosen
    assert found.loads["encoder 1"].min() > 150
    assert found.losses["importance"] + found.losses["load"] < 1e-3


def test_losses_of_a_mixture_by_hand() -> None:
    """Importance is the sum of gates, load the chance to be chosen; both are balanced by their squared variation."""
    experts, x, found = mixture().train(), numbers("x", 6, WIDTH), Auxiliary()
    torch.manual_seed(3)
    experts(x, auxiliary=found)
    torch.manual_seed(3)
    scores, spread = x @ experts.gate.T, torch.log1p((x @ experts.noise.T).exp()) + LEAST_NOISE
    noisy = scores + torch.randn_like(scores) * spread

    scores, spread, noisy = scores.detach(), spread.detach(), noisy.detach()
    importance = [0.0] * EXPERTS.number
    load = [0.0] * EXPERTS.number
    for row in range(len(x)):
        order = noisy[row].argsort(descending=True).tolist()
        best = order[: EXPERTS.chosen]
        for i in range(EXPERTS.number):
            if i in best:
                importance[i] += float(noisy[row][best].softmax(0)[best.index(i)])
            rival = noisy[row][[j for j in order if j != i][EXPERTS.chosen - 1]]
            load[i] += NormalDist().cdf(float((scores[row, i] - rival) / spread[row, i]))

    for name, amounts in (("importance", importance), ("load", load)):
        amount = torch.tensor(amounts)
        expected = 0.01 * (amount.std(correction=0) / amount.mean()) ** 2
        assert float(found.losses[name].detach()) == pytest.approx(float(expected), rel=1e-4)


def test_the_chance_of_an_expert_that_leads_by_far() -> None:
    scores = torch.tensor([[9.0, 0.0, -9.0]])

    found = chances(scores, scores, torch.full_like(scores, 0.5), 1)

    assert found[0].tolist() == pytest.approx([1, 0, 0], abs=1e-6)


def test_equal_amounts_have_no_variation() -> None:
    assert float(variation(torch.ones(4))) == 0
    assert float(variation(torch.zeros(4))) == 0
    assert float(variation(torch.tensor([2.0, 0.0]))) == pytest.approx(1)


def test_padding_is_no_load() -> None:
    cnp = small_cnp(experts=EXPERTS).train()
    found, alone = Auxiliary(), Auxiliary()
    mask = torch.tensor([[True, True, False, False]])

    cnp.encode(TEXT.values(), TEXT.domain, mask=mask, auxiliary=found)
    memory = Row((TEXT,)).encode(cnp)
    cnp.decode(memory, "caption", torch.tensor([[1, 2, 3]]), mask[:, :3], auxiliary=alone)

    assert {name: int(counts.sum()) for name, counts in found.loads.items()} == {"encoder 1": 2 * EXPERTS.chosen}
    # The first position is the task's; the third has a padded target before it.
    assert {name: int(counts.sum()) for name, counts in alone.loads.items()} == {
        f"decoder {layer}": 3 * EXPERTS.chosen for layer in (0, 1)
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"number": 4}, "both a number of experts and the layers"),
        ({"encoder": (0,)}, "both a number of experts and the layers"),
        ({"number": 2, "encoder": (0,)}, "chosen must be below number, 2, not 2"),
        ({"number": -1}, "number must be whole numbers from 0"),
        ({"number": 4, "decoder": (-1,)}, "decoder must be whole numbers from 0"),
        ({"number": 4, "encoder": (0,), "chosen": 0}, "chosen must be a whole number above 0"),
    ],
)
def test_wrong_options(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ExpertsConfig(**values)


def test_a_layer_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"experts\.decoder names layer 2, but the last is 1"):
        CNPConfig(**{**SMALL, "experts": replace(EXPERTS, decoder=(2,))})
