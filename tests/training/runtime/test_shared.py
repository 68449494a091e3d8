"""The global model and its Adam, held against torch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from omninet.training.runtime.shared import BETAS, EPSILON, GlobalModel, SharedAdam


def network() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(2, 2))
    made[2].requires_grad_(False)
    return made


def gradients(step: int, model: nn.Module) -> list[Tensor | None]:
    """Return gradients; the second layer has them at every other step only."""
    generator = torch.Generator().manual_seed(step)
    found: list[Tensor | None] = [
        torch.randn(p.shape, generator=generator) for p in model.parameters() if p.requires_grad
    ]
    return found if step % 2 == 0 else [*found[:2], None, None]


def stock(steps: int) -> nn.Module:
    """Return parameters trained with torch.optim.Adam."""
    model = network()
    trained = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.Adam(trained, lr=0.01, betas=BETAS, eps=EPSILON)
    for step in range(steps):
        for parameter, gradient in zip(trained, gradients(step, model), strict=True):
            parameter.grad = gradient
        adam.step()
    return model


def assert_same(one: nn.Module, other: nn.Module) -> None:
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_in_turn_are_one_adam(workers: int) -> None:
    model = network()
    shared = GlobalModel(model, workers)
    adams = [SharedAdam(shared, worker) for worker in range(workers)]

    for step in range(7):
        adams[step % workers].step(gradients(step, model), 0.01)

    assert_same(model, stock(7))
    assert shared.updates.sum(0).tolist() == [7, 7, 4, 4]


def test_the_network_is_the_global_model() -> None:
    model = network()
    before = [p.clone() for p in model.parameters()]
    shared = GlobalModel(model, 1)

    assert [torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True)] == [True] * 6
    shared.values.zero_()

    assert [bool(p.any()) for p in model.parameters()] == [False] * 4 + [True] * 2
    assert shared.values.is_shared()  # type: ignore[no-untyped-call]
    assert len(shared.values) == 3 * 4 + 4 + 4 * 2 + 2


def test_a_restored_state_continues_identically() -> None:
    model = network()
    shared = GlobalModel(model, 2)
    for step in range(4):
        SharedAdam(shared, step % 2).step(gradients(step, model), 0.01)
    state = shared.state()

    other = network()
    restored = GlobalModel(other, 3)
    restored.restore(state)
    adam = SharedAdam(restored, 0)
    for step in range(4, 7):
        adam.step(gradients(step, other), 0.01)

    assert_same(other, stock(7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("0.bias"), "0.bias is in only one of the two networks"),
        (lambda state: state["1.bias"].update(value=torch.zeros(3)), r"1.bias has shape \(2,\), the saved one \(3,\)"),
    ],
)
def test_a_state_of_another_network_is_refused(change: Any, message: str) -> None:
    shared = GlobalModel(network(), 1)
    state = shared.state()
    change(state)

    with pytest.raises(ValueError, match=message):
        shared.restore(state)
