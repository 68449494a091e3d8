"""The training of a student: that it learns, and that a run in parts is the run in one."""

from __future__ import annotations

import json
import logging
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from omninet.training.distill import fit as fitting
from omninet.training.distill.fit import Fit, distillation_loss, mirror, schedule, update_average
from omninet.training.distill.networks import Student, StudentOutput
from omninet.training.distill.optimiser import Optimiser
from omninet.training.distill.targets import TeacherOutput
from omninet.training.runtime.interrupt import Interrupt
from tests.training.distill.conftest import MakeFit, make_config

PHOTOS = torch.arange(10)


class After(Interrupt):
    """Stands for Interrupt with a signal after a number of steps."""

    def __init__(self, fit: Fit, steps: int) -> None:
        super().__init__()
        self._fit, self._steps = fit, steps

    @property
    def is_set(self) -> bool:
        return self._fit.progress.step >= self._steps


def tensors_of(fit: Fit) -> dict[str, Tensor]:
    """Return all tensors of a run's state."""
    average = {f"average.{name}": tensor for name, tensor in fit.average.state_dict().items()}
    found = {**fit.student.state_dict(), **average, **fit.optimiser.tensors()}
    return {name: tensor.clone() for name, tensor in found.items()}


def saved_step(fit: Fit) -> int:
    step: int = json.loads((fit.folder / "state" / "step.json").read_text())["step"]
    return step


def test_a_student_learns(make_fit: MakeFit, tmp_path: Path) -> None:
    fit = make_fit(make_config(steps=40, batch=8), tmp_path / "run")

    losses = [float(fit.advance(PHOTOS)) for _ in range(40)]

    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_a_run_in_parts_is_the_run_in_one(make_fit: MakeFit, tmp_path: Path) -> None:
    config = make_config()
    whole = make_fit(config, tmp_path / "whole")
    whole.run(PHOTOS, Interrupt())
    assert whole.done

    for steps in (0, 1, 4, 6):
        part = make_fit(config, tmp_path / "parts")
        part.run(PHOTOS, After(part, steps))
        assert (part.progress.step, part.done) == (steps, steps == config.steps)

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


def test_a_finished_run_does_not_change(fit: Fit, make_fit: MakeFit) -> None:
    fit.run(PHOTOS, Interrupt())
    again = make_fit(fit.config, fit.folder)

    again.run(PHOTOS, Interrupt())

    before, after = tensors_of(fit), tensors_of(again)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_a_finished_run_is_prolonged(fit: Fit, make_fit: MakeFit) -> None:
    fit.run(PHOTOS, Interrupt())
    longer = make_fit(make_config(steps=8), fit.folder)

    longer.run(PHOTOS, Interrupt())

    assert saved_step(longer) == 8


def test_no_time_no_step(fit: Fit) -> None:
    fit.run(PHOTOS, Interrupt(), minutes=0)

    assert saved_step(fit) == fit.progress.step == 0


def test_a_signal_stops_between_two_steps(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Interrupt()
    advance = fit.advance

    def signalled(photos: Tensor) -> Tensor:
        signal.raise_signal(signal.SIGTERM)
        return advance(photos)

    monkeypatch.setattr(fit, "advance", signalled)
    with stop:
        fit.run(PHOTOS, stop)

    assert (fit.progress.step, stop.signal, fit.done) == (1, signal.SIGTERM, False)
    assert saved_step(fit) == 1


def test_a_run_is_saved_and_evaluated_periodically(
    make_fit: MakeFit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fit = make_fit(make_config(measured=4), tmp_path / "run")
    ticks = iter(range(0, 10_000, 25))
    saved: list[int] = []
    measured: list[int] = []
    monkeypatch.setattr(fitting, "time", SimpleNamespace(monotonic=lambda: next(ticks)))  # four times a step
    monkeypatch.setattr(fit, "save", lambda: saved.append(fit.progress.step))
    monkeypatch.setattr(fitting, "LOG_STEPS", 3)

    with caplog.at_level(logging.INFO):
        fit.run(PHOTOS, Interrupt(), measure=lambda fit: measured.append(fit.progress.step))

    assert saved == [2, 4, 6, 6]
    assert measured == [4, 6]
    assert fit.progress.seconds == 6 * 25
    assert [message.partition(",")[0] for message in caplog.messages] == ["step 3 of 6", "step 6 of 6"]


def test_the_average_follows(fit: Fit) -> None:
    before = {name: tensor.clone() for name, tensor in fit.average.state_dict().items()}

    fit.advance(PHOTOS)

    ours, theirs = fit.average.state_dict(), fit.student.state_dict()
    for name, tensor in ours.items():
        if tensor.is_floating_point():  # a tenth of the first student stays at the first step
            torch.testing.assert_close(tensor, 0.1 * before[name] + 0.9 * theirs[name])
        else:
            assert torch.equal(tensor, theirs[name])
    assert not any(parameter.requires_grad for parameter in fit.average.parameters())


def test_the_average_moves_by_one_minus_its_decay() -> None:
    average, network = nn.Linear(1, 1), nn.Linear(1, 1)
    for parameter, value in zip((*average.parameters(), *network.parameters()), (0.0, 4.0, 1.0, 8.0), strict=True):
        nn.init.constant_(parameter, value)

    update_average(average, network, 0.75)

    assert [p.item() for p in average.parameters()] == [0.25, 5.0]


def test_half_of_the_views_are_mirrored_with_their_maps() -> None:
    torch.manual_seed(0)
    views = torch.arange(2 * 2).view(1, 1, 2, 2).repeat(60, 3, 1, 1).to(torch.uint8)
    cells = torch.arange(4.0).view(1, 4, 1).repeat(60, 1, 2)

    mirrored, wanted = mirror(views, TeacherOutput((cells,), torch.ones(60, 5)))

    flipped = mirrored[:, 0, 0, 0] == 1
    assert 20 < int(flipped.sum()) < 40
    assert torch.equal(mirrored[flipped][0, 0], torch.tensor([[1, 0], [3, 2]]))
    assert torch.equal(mirrored[:, 0].flatten(1).float(), wanted.maps[0][..., 0])
    assert wanted.logits is not None
    assert torch.equal(wanted.logits, torch.ones(60, 5))


@pytest.mark.parametrize("classes", [True, False])
def test_a_perfect_student_has_no_loss(classes: bool) -> None:
    torch.manual_seed(0)
    maps, logits = torch.randn(64, 4, 8), 3 * torch.randn(64, 6)

    def loss(seen: Tensor, named: Tensor) -> float:
        wanted = TeacherOutput((maps, maps), logits if classes else None)
        return float(distillation_loss(StudentOutput((seen, maps), named if classes else None), wanted, 2.0))

    assert loss(maps, logits) == pytest.approx(0, abs=1e-6)
    # Two independent maps differ by twice their variance; the mean differs from one by its variance.
    assert loss(maps.flip(0), logits) == pytest.approx(2, abs=0.2)
    assert loss(torch.zeros_like(maps), logits) == pytest.approx(1, abs=0.1)
    assert (loss(maps, logits.flip(0)) > 0.3) is classes


def test_the_rate_rises_stays_and_falls() -> None:
    config = make_config(warmup=0.1, cooldown=0.2)
    rates = [schedule(progress / 100, config) for progress in range(101)]

    assert rates[0] == pytest.approx(0.01, abs=0.002)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:81] == pytest.approx([1] * 71)
    assert rates[90] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    assert schedule(1.0, make_config(cooldown=0)) == 1


def test_kernels_are_stepped_by_muon_and_the_rest_by_adam() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 2, 1))
    network.to(memory_format=torch.channels_last)
    optimiser = Optimiser(network, decay=0.0)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}

    network(torch.rand(2, 3, 12, 12)).square().sum().backward()
    optimiser.step(0.01)

    assert {name.rpartition(".")[2] for name in optimiser.tensors() if name.startswith("muon")} == {"momentum_buffer"}
    assert len([name for name in optimiser.tensors() if name.endswith("exp_avg")]) == 6
    for name, parameter in network.named_parameters():
        moved = (parameter - before[name]).detach()
        assert moved.abs().max() > 0, name
        assert parameter.grad is None
    # The momentum of the first kernel is made orthogonal: all its singular values are about alike.
    kernel = dict(network.named_parameters())["0.weight"].detach()
    values = torch.linalg.svdvals((kernel - before["0.weight"]).flatten(1))
    assert values.min() > 0.4 * values.max()


def test_an_incomplete_state_is_refused(student: Student) -> None:
    optimiser = Optimiser(student, decay=0.0)

    assert optimiser.tensors() == {}
