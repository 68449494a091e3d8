"""The training of a student: that it learns, and that a run in parts is the run in one."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from tests.training.distill.conftest import make_config, make_fit, make_pictures
from training.distill import fit as fitting
from training.distill.eyes import Student, Teacher
from training.distill.fit import Fit, distillation_loss, rows_of, schedule
from training.distill.optimiser import Optimiser
from training.interrupt import Interrupt

PICTURES = make_pictures(10)


class After(Interrupt):
    """A wish to stop once so many steps are done."""

    def __init__(self, fit: Fit, steps: int) -> None:
        super().__init__()
        self._fit, self._steps = fit, steps

    @property
    def is_set(self) -> bool:
        return self._fit.step >= self._steps


def tensors_of(fit: Fit) -> dict[str, Tensor]:
    """All that a run is made of."""
    found = {**fit.student.state_dict(), **fit.optimiser.tensors()}
    return {name: tensor.clone() for name, tensor in found.items()}


def test_a_student_learns(teacher: Teacher, tmp_path: Path) -> None:
    fit = make_fit(make_config(steps=40, batch=8), tmp_path, teacher)
    fit.student.train()

    losses = [float(fit.advance(make_pictures(40))) for _ in range(40)]

    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_a_run_in_parts_is_the_run_in_one(teacher: Teacher, tmp_path: Path) -> None:
    config = make_config()
    whole = make_fit(config, tmp_path / "whole", teacher)
    assert whole.run(PICTURES, Interrupt())

    for steps in (0, 1, 4, 6):
        part = make_fit(config, tmp_path / "parts", teacher)
        done = part.run(PICTURES, After(part, steps))
        assert (part.step, done) == (steps, steps == config.steps)

    ours, theirs = tensors_of(part), tensors_of(whole)
    assert ours.keys() == theirs.keys()
    assert {name.rpartition(".")[2] for name in ours} >= {
        "running_mean",
        "num_batches_tracked",
        "momentum_buffer",
        "exp_avg",
        "exp_avg_sq",
        "step",
    }
    assert [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])] == []


def test_a_run_that_is_over_stays_as_it_is(fit: Fit, teacher: Teacher, tmp_path: Path) -> None:
    fit.run(PICTURES, Interrupt())
    again = make_fit(fit.config, tmp_path, teacher)

    assert again.run(PICTURES, Interrupt())

    before, after = tensors_of(fit), tensors_of(again)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_no_time_no_step(fit: Fit, tmp_path: Path) -> None:
    assert not fit.run(PICTURES, Interrupt(), minutes=0)

    assert fit.step == 0
    assert (tmp_path / "state" / "step.json").read_text() == "0"


def test_a_signal_stops_between_two_steps(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Interrupt()
    advance = fit.advance

    def signalled(pictures: Tensor) -> Tensor:
        signal.raise_signal(signal.SIGTERM)
        return advance(pictures)

    monkeypatch.setattr(fit, "advance", signalled)
    with stop:
        assert not fit.run(PICTURES, stop)

    assert (fit.step, stop.signal) == (1, signal.SIGTERM)
    assert (fit.folder / "state" / "step.json").read_text() == "1"


def test_the_state_is_saved_on_the_way(
    fit: Fit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = iter(range(0, 10_000, 50))
    saved: list[int] = []
    monkeypatch.setattr(fitting, "time", SimpleNamespace(monotonic=lambda: next(ticks)))  # twice a step
    monkeypatch.setattr(fit, "save", lambda: saved.append(fit.step))
    monkeypatch.setattr(fitting, "LOG_STEPS", 3)

    with caplog.at_level(logging.INFO):
        fit.run(PICTURES, Interrupt())

    assert saved == [2, 4, 6, 6]
    assert [message.partition(",")[0] for message in caplog.messages] == ["step 3 of 6", "step 6 of 6"]


def test_both_see_the_same_view(fit: Fit) -> None:
    seen: list[Tensor] = []
    for network in (fit.teacher, fit.student):
        network.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].clone()))

    fit.advance(PICTURES)

    assert len(seen) == 2
    assert torch.equal(*seen)
    assert seen[0].shape == (4, 3, 64, 64)


def test_the_teacher_stays_as_it_is(fit: Fit) -> None:
    before = {name: tensor.clone() for name, tensor in fit.teacher.state_dict().items()}

    fit.run(PICTURES, Interrupt())

    assert all(torch.equal(tensor, before[name]) for name, tensor in fit.teacher.state_dict().items())


@pytest.mark.parametrize("classes", [True, False])
def test_a_perfect_student_has_no_loss(classes: bool, teacher: Teacher) -> None:
    torch.manual_seed(0)
    wanted = torch.rand(64, 4, 8)
    classifier = teacher.classifier if classes else None

    perfect = distillation_loss(wanted, wanted, classifier, 2.0)
    wrong = distillation_loss(wanted.flip(0), wanted, classifier, 2.0)
    mean = distillation_loss(wanted.mean().expand_as(wanted), wanted, None, 2.0)

    assert perfect.item() == pytest.approx(0, abs=1e-6)
    # Two independent maps differ by twice their variance; the mean differs from one by its variance.
    assert wrong.item() > 1.8
    assert mean.item() == pytest.approx(1, abs=0.01)
    if classes:
        assert wrong.item() > 2.1


def test_the_rate_warms_up_and_falls() -> None:
    rates = [schedule(progress / 100, 0.1) for progress in range(101)]

    assert rates[0] == pytest.approx(0.01, abs=0.002)
    assert rates[10] == max(rates) == 1
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)


@pytest.mark.parametrize(("count", "batch"), [(10, 4), (3, 7), (4, 4), (1, 2)])
def test_every_epoch_shows_every_picture_once(count: int, batch: int) -> None:
    config = make_config(batch=batch)
    steps = [rows_of(step, count, config) for step in range(count)]

    assert all(len(rows) == batch for rows in steps)
    epochs = torch.cat(steps).view(batch, count)
    assert torch.equal(epochs.sort(1).values, torch.arange(count).expand(batch, count))
    if count > 3:
        assert not torch.equal(epochs[0], epochs[1])
        assert not torch.equal(rows_of(0, count, make_config(batch=batch, seed=9)), steps[0])


def test_kernels_are_stepped_by_muon_and_the_rest_by_adam() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 2, 1))
    network.to(memory_format=torch.channels_last)
    optimiser = Optimiser(network, decay=0.0)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}

    network(torch.rand(2, 3, 12, 12)).square().sum().backward()
    optimiser.step(0.01)

    assert {name.rpartition(".")[2] for name in optimiser.tensors() if name.startswith("muon")} == {"momentum_buffer"}
    assert len([name for name in optimiser.tensors() if name.endswith("exp_avg")]) == 5
    for name, parameter in network.named_parameters():
        moved = (parameter - before[name]).detach()
        assert moved.abs().max() > 0, name
        assert parameter.grad is None
    # The momentum of the first kernel is made orthogonal: all its singular values are about alike.
    kernel = dict(network.named_parameters())["0.weight"].detach()
    values = torch.linalg.svdvals((kernel - before["0.weight"]).flatten(1))
    assert values.min() > 0.4 * values.max()


def test_a_student_is_not_given_half_a_state(student: Student) -> None:
    optimiser = Optimiser(student, decay=0.0)

    assert optimiser.tensors() == {}
