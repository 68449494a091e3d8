"""The one-process runner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.conftest import make_config
from training import single
from training.data import DataError
from training.setup import Setup, set_up
from training.single import Progress, run_single


@pytest.fixture(autouse=True)
def _random_numbers() -> Iterator[None]:
    """Nothing a run does to the random numbers of the process outlives it."""
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def fresh(data: Path, work: Path, **changes: Any) -> Setup:
    """A run with dropout, at its start."""
    return set_up(make_config(**changes), data, None, work)


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_run_learns(data: Path, work: Path, tmp_path: Path) -> None:
    setup = fresh(data, work, steps=120, warmup=20, factor=0.05)

    progress = run_single(setup, tmp_path)

    entries = log(tmp_path)
    assert [e["step"] for e in entries] == list(range(1, 121))
    assert progress.step == 120
    for task in setup.config.tasks:
        losses = [e["loss"] for e in entries if e["task"] == task]
        assert len(losses) == progress.drawn[task] > 15
        assert sum(losses[-4:]) < 0.6 * sum(losses[:4])


def test_tasks_are_drawn_by_their_shares() -> None:
    shares = {"caption": 4, "pos": 2, "vqa": 1, "activity": 1}
    runs = {name: run.model_copy(update={"share": shares[name]}) for name, run in make_config().tasks.items()}

    drawn = [single._draw(runs, 0, step) for step in range(1, 2001)]

    assert [drawn.count(name) / 2000 for name in shares] == pytest.approx([0.5, 0.25, 0.125, 0.125], abs=0.03)


@pytest.mark.parametrize("stop", [1, 5])
def test_stopped_and_resumed_is_the_same_bit_for_bit(data: Path, work: Path, tmp_path: Path, stop: int) -> None:
    whole = fresh(data, work, steps=12)
    expected = run_single(whole, tmp_path / "whole")

    interrupted = fresh(data, work, steps=12)
    with pytest.MonkeyPatch.context() as patched:
        stop_after(patched, stop)
        with pytest.raises(KeyboardInterrupt):
            run_single(interrupted, tmp_path / "parts")
    torch.manual_seed(99)  # another process has other random numbers
    resumed = fresh(data, work, steps=12)
    progress = run_single(resumed, tmp_path / "parts", resume=True)

    assert (progress.step, progress.drawn) == (expected.step, expected.drawn)
    assert [e["step"] for e in log(tmp_path / "parts")] == list(range(1, 13))
    timeless = [[e | {"seconds": 0} for e in log(tmp_path / name)] for name in ("whole", "parts")]
    assert timeless[0] == timeless[1]
    ours, theirs = resumed.network.state_dict(), whole.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    states = [torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("whole", "parts")]
    for one, other in zip(*(s["optimiser"]["state"].values() for s in states), strict=True):
        assert torch.equal(one["exp_avg_sq"], other["exp_avg_sq"])


def stop_after(patched: pytest.MonkeyPatch, steps: int) -> None:
    """Save after every step, and interrupt a run once ``steps`` are done."""
    original = single._save

    def save_and_stop(path: Path, network: Any, optimiser: Any, progress: Progress) -> None:
        original(path, network, optimiser, progress)
        if progress.step == steps:
            raise KeyboardInterrupt

    patched.setattr(single, "SAVE_EVERY_S", -1.0)
    patched.setattr(single, "_save", save_and_stop)


def test_the_rate_follows_the_schedule(data: Path, work: Path) -> None:
    setup = fresh(data, work, steps=10, warmup=2, factor=0.02, cooldown=0.5)

    rates = [single._rate(setup, "pos", step) for step in range(1, 11)]

    noam = [0.02 * min(1, step / 2) / max(step, 2) ** 0.5 for step in range(1, 11)]
    falling = [1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    assert rates == pytest.approx([a * b for a, b in zip(noam, falling, strict=True)])


def test_nothing_to_resume(setup: Setup, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"state\.pt is missing: there is no run to resume"):
        run_single(setup, tmp_path, resume=True)


def test_a_state_is_replaced_whole(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_single(setup, tmp_path)
    before = (tmp_path / "state.pt").read_bytes()

    def fail(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk is full"):
        run_single(setup, tmp_path)

    assert (tmp_path / "state.pt").read_bytes() == before
