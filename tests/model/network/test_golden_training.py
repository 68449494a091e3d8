"""One training step against the authors' own: float64, within a relative 1e-6, as gradients are stored in float32."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from omninet.model.network.cnp import CNP
from tests.golden_cases import Case, assert_close, cnp_names, read_json, read_tensors

every_case = pytest.mark.parametrize("name", read_json("train_step")["cases"])


class Trainer:
    """The case's network without dropout, and the optimiser of the authors' script."""

    def __init__(self, name: str) -> None:
        self.case = Case(name)
        self.facts: dict[str, Any] = read_json("train_step")["cases"][name]
        self.golden = read_tensors(f"train_step_{name}")
        self.cnp: CNP = self.case.network(dropout=0.0, attention_dropout=0.0).train()
        adam = read_json("train_step")["optimizer"]
        self.optimizer = torch.optim.Adam(
            self.cnp.parameters(), lr=adam["lr"], betas=tuple(adam["betas"]), eps=adam["eps"]
        )

    def step(self, inputs: list[Tensor]) -> tuple[float, Tensor]:
        """Train on the case once: the loss and the log-probabilities before the update."""
        memory = self.case.encode(self.cnp, inputs)
        mask = self.case.target_mask if self.facts["target_pad_mask_passed"] else None
        log_probabilities = self.cnp.decode(memory, self.case.task, self.case.targets, mask)
        chosen = log_probabilities.gather(-1, self.case.targets[..., None])[..., 0]
        # Where no id stands for padding, the null of the file, every target counts.
        loss = -chosen[
            self.case.targets != (-1 if self.facts["target_pad_id"] is None else self.facts["target_pad_id"])
        ]
        self.optimizer.zero_grad()
        loss.mean().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.mean().item(), log_probabilities.detach()

    def ours(self, fact: str) -> set[str]:
        """Our names of the parameters that the file lists under ``fact``."""
        weights = read_tensors("tiny_cnp")
        return set(cnp_names({name: weights[name] for name in self.facts[fact]}))

    def stored(self, prefix: str) -> dict[str, Tensor]:
        """The gradients or updates, by our names."""
        named = {name: value for name, value in self.golden.items() if name.startswith(prefix)}
        return cnp_names({name.removeprefix(prefix): value for name, value in named.items()})


@every_case
def test_gradients_and_updates_of_one_step(name: str) -> None:
    trainer = Trainer(name)
    before = {key: value.detach().clone() for key, value in trainer.cnp.named_parameters()}
    inputs = [x.requires_grad_() for x in trainer.case.inputs()]

    loss, log_probabilities = trainer.step(inputs)

    assert loss == pytest.approx(trainer.facts["loss_f64"], abs=1e-10)
    assert_close(log_probabilities, trainer.golden["logprobs"])
    for i, x in enumerate(inputs):
        assert_relative(x.grad, trainer.golden[f"grad_input.{i}"])
    # The update of a gradient that is zero but for rounding is rounding too: only its size means something.
    noise = trainer.ours("mathematically_zero_gradient_(f32_update_is_noise)")
    gradients, updates = trainer.stored("grad."), trainer.stored("delta.")
    for key, parameter in trainer.cnp.named_parameters():
        update = parameter.detach() - before[key]
        if parameter.grad is None:
            assert not update.any(), key
        elif key in noise:
            assert parameter.grad.abs().max() < 1e-12, key
            assert update.abs().max() < 1e-6, key
        else:
            assert_relative(parameter.grad, gradients.pop(key))
            assert_relative(update, updates.pop(key))
    assert set(gradients) == set(updates) == noise


@every_case
def test_parameters_without_gradient(name: str) -> None:
    trainer = Trainer(name)

    trainer.step(trainer.case.inputs())

    without = {key for key, parameter in trainer.cnp.named_parameters() if parameter.grad is None}
    assert without == trainer.ours("parameters_without_gradient_(unchanged)")


@every_case
def test_loss_of_consecutive_steps(name: str) -> None:
    trainer = Trainer(name)

    losses = [trainer.step(trainer.case.inputs())[0] for _ in trainer.facts["loss_of_5_consecutive_steps_f64"]]

    assert losses == pytest.approx(trainer.facts["loss_of_5_consecutive_steps_f64"], rel=1e-6)


def assert_relative(actual: Tensor | None, expected: Tensor) -> None:
    """Hold the whole tensor within 1e-6 of its largest value."""
    assert actual is not None
    expected = expected.double()
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-6 * expected.abs().max().item())
