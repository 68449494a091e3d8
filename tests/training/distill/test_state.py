"""The state on disk: whole whenever the process is killed, and of one distillation only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from omninet.training.data import DataError
from omninet.training.distill import state as states
from omninet.training.distill.fit import Fit
from omninet.training.distill.state import DistillProgress, load_state
from tests.training.distill.conftest import MakeFit, make_config

PHOTOS = torch.arange(6)


class Killed(BaseException):
    """Stands for a kill of the process."""


@pytest.fixture
def saved(fit: Fit) -> Fit:
    """After one step, its state on disk."""
    fit.advance(PHOTOS)
    fit.save()
    return fit


def goes_on(fit: Fit, make_fit: MakeFit) -> Fit:
    """Return the distillation that another process would resume."""
    return make_fit(fit.config, fit.folder)


def test_nothing_saved_is_step_0(fit: Fit, tmp_path: Path) -> None:
    assert load_state(tmp_path / "nowhere", fit.config, fit.student, fit.average, fit.optimiser) == DistillProgress()
    assert fit.progress == DistillProgress(0, 0.0)


def test_a_state_is_small_files(saved: Fit, make_fit: MakeFit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "LIMIT", 20_000)
    saved.save()

    files = sorted((saved.folder / "state").glob("*.safetensors"))
    assert len(files) > 5
    assert all(path.stat().st_size < 30_000 or len(load_file(path)) == 1 for path in files)
    again = goes_on(saved, make_fit)
    assert again.progress.step == 1
    assert all(torch.equal(t, again.optimiser.tensors()[name]) for name, t in saved.optimiser.tensors().items())
    assert [path.name for path in saved.folder.iterdir()] == ["state"]


@pytest.mark.parametrize("first", [0, 5])  # the latter between the two renames, which leaves state.old alone
@pytest.mark.parametrize("second", range(7))
def test_killed_at_any_moment(
    first: int, second: int, saved: Fit, make_fit: MakeFit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill before each change on disk, twice in a row."""
    for moment in (first, second):
        saved = goes_on(saved, make_fit)
        before = saved.progress.step
        saved.advance(PHOTOS)
        with monkeypatch.context() as patched, suppress(Killed):  # upon what a killed one left, it takes fewer calls
            kill(patched, moment)
            saved.save()
        assert goes_on(saved, make_fit).progress.step in {before, before + 1}

    saved.save()
    assert goes_on(saved, make_fit).progress.step == saved.progress.step
    assert [path.name for path in saved.folder.iterdir()] == ["state"]


def kill(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Raise at one of the calls that change the disk; the last is the removal of the old state, done by half."""
    calls: Iterator[int] = iter(range(100))

    def dying(kind: type, name: str) -> None:
        original = getattr(kind, name)

        def call(*arguments: object, **options: object) -> object:
            if next(calls) >= moment:
                if name == "rmtree" and isinstance(arguments[0], Path) and arguments[0].exists():
                    next(arguments[0].glob("*.json")).unlink()
                raise Killed
            return original(*arguments, **options)

        monkeypatch.setattr(kind, name, call)

    dying(Path, "rename")
    dying(Path, "write_text")
    dying(states.shutil, "rmtree")  # type: ignore[arg-type, attr-defined]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"batch": 7}, r"batch 4 instead of 7"),
        ({"seed": 4, "rate": 0.1}, r"seed 3 instead of 4, rate 0\.004 instead of 0\.1"),
        (
            {"teacher": {"backbone": "resnet18", "mean": [0.5] * 3, "std": [0.25] * 3}},
            r"teacher\.backbone 'shufflenet_v2_x0_5' instead of 'resnet18'",
        ),
        ({"datasets": {"coco": "coco"}}, r"datasets\.coco None instead of 'coco'"),
    ],
)
def test_another_distillation_is_refused(changes: dict[str, object], named: str, saved: Fit) -> None:
    with pytest.raises(
        DataError, match=rf"state is of another distillation, with {named}: resume with the same config"
    ):
        load_state(saved.folder, make_config(**changes), saved.student, saved.average, saved.optimiser)


def test_a_state_without_a_configuration_is_not_checked(saved: Fit, make_fit: MakeFit, tmp_path: Path) -> None:
    (saved.folder / "state" / "config.yaml").unlink()

    assert make_fit(make_config(batch=7), saved.folder).progress.step == 1


def test_the_length_may_change(saved: Fit, make_fit: MakeFit) -> None:
    again = make_fit(make_config(steps=70, cooldown=0.5, measured=3, often={"flickr8k": 2}), saved.folder)

    assert (again.progress.step, again.progress.seconds) == (1, saved.progress.seconds)


@pytest.mark.parametrize("damage", ["missing", "short", "step"])
def test_a_damaged_state_is_named(damage: str, saved: Fit, make_fit: MakeFit, tmp_path: Path) -> None:
    first = saved.folder / "state" / "00.safetensors"
    if damage == "missing":
        first.unlink()
    elif damage == "short":
        first.write_bytes(first.read_bytes()[:1000])
    else:
        (saved.folder / "state" / "step.json").write_text("")

    with pytest.raises(DataError, match="state is incomplete or damaged: "):
        goes_on(saved, make_fit)
