"""The distributed runner in this process alone, as it is without torchrun."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from omninet.model.errors import ConfigError, DeviceError
from omninet.training.data import DataError
from omninet.training.distributed import RankedRun, Ranks
from omninet.training.runtime.launch import Launch
from omninet.training.runtime.states import RunStates
from omninet.training.setup import set_up
from omninet.training.train import Options, train
from tests.training.conftest import make_config
from tests.training.distributed.conftest import messages_of, steps_of


@pytest.fixture(autouse=True)
def _random_numbers() -> Iterator[None]:
    """Restore the random generators after each test."""
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    with Ranks(Launch()) as alone:
        yield alone


def options(data: Path, work: Path, **values: Any) -> Options:
    return Options(data, "random", work=work, **{"runner": "distributed"} | values)


def values_of(folder: Path) -> dict[str, torch.Tensor]:
    state = torch.load(RunStates(folder).all()[-1], weights_only=True)["model"]
    return {f"{name} {kind}": torch.as_tensor(value) for name, part in state.items() for kind, value in part.items()}


@pytest.mark.parametrize("scheduler", ["fixed_shares", "stop_and_go"])
def test_one_rank_is_the_single_runner_bit_for_bit(data: Path, work: Path, tmp_path: Path, scheduler: str) -> None:
    config = make_config(steps=12, scheduler=scheduler, evaluation={"limit": 1})

    for runner in ("single", "distributed"):
        train(config, tmp_path / runner, options(data, work, runner=runner, threads=1))

    assert steps_of(tmp_path / "distributed") == steps_of(tmp_path / "single")
    one, other = values_of(tmp_path / "distributed"), values_of(tmp_path / "single")
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert "Synchronous steps of 1 rank on" in (tmp_path / "distributed" / "checkpoint" / "MODEL_CARD.md").read_text()


@pytest.mark.slow
def test_a_run_is_resumed_with_any_other_runner(data: Path, work: Path, tmp_path: Path) -> None:
    for number, runner in enumerate(("distributed", "single", "distributed", "hogwild", "distributed")):
        config = make_config(steps=4 * number + 4)
        train(config, tmp_path, options(data, work, runner=runner, resume=number > 0, threads=1))

    steps = sorted(step["step"] for step in steps_of(tmp_path))
    assert len(steps) == 20
    # Workers of Hogwild, which do not wait for one another, may give two of their steps the same number.
    assert [step for step in steps if not 12 < step <= 16] == [*range(1, 13), *range(17, 21)]
    assert "continues from step 16 on 1 rank" in messages_of(tmp_path)


def test_sharding_needs_torchrun(data: Path, work: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sharded: sharding needs several ranks; start the run with torchrun"):
        train(make_config(sharded=True), tmp_path, options(data, work))


def test_a_restart_by_torchrun_resumes(data: Path, work: Path, tmp_path: Path, ranks: Ranks) -> None:
    setup = set_up(make_config(), data, "random", work)

    def begun(launch: Launch, resume: bool = False) -> RankedRun:
        ranks.launch = launch
        with RankedRun(setup, tmp_path, "Ranks", resume, ranks) as run:
            return run

    begun(Launch(job="today", restarts=1))  # it died before its first state: from the beginning
    first = begun(Launch(job="today"))
    first.progress.drawn["pos"][0] = 3
    first.save()

    # A machine has joined, which torchrun does not count as a restart.
    assert begun(Launch(job="today")).progress.step == 3
    assert begun(Launch(job="today", restarts=2)).progress.step == 3
    assert "continues from step 3 on 1 rank; torchrun has restarted all ranks, restart 2" in messages_of(tmp_path)
    for launch in (Launch(job="tomorrow"), Launch(job="tomorrow", restarts=2), Launch()):
        with pytest.raises(DataError, match="already holds a run, at step 3: continue it with --resume"):
            begun(launch)
    assert begun(Launch(), resume=True).progress.step == 3


def test_another_number_of_ranks_is_reported(data: Path, work: Path, tmp_path: Path, ranks: Ranks) -> None:
    setup = set_up(make_config(), data, "random", work)
    with RankedRun(setup, tmp_path, "Ranks", False, ranks) as run:
        run.progress.drawn["pos"][0] = 3
        run.save()
        run.progress.ranks = 4
        run.states.save(run.model, run.progress)

    with RankedRun(setup, tmp_path, "Ranks", True, ranks):
        assert "continues from step 3 on 1 rank, previously on 4 ranks" in messages_of(tmp_path)


def test_an_error_on_one_rank_is_raised_on_all(ranks: Ranks) -> None:
    def fail() -> None:
        raise DataError("nothing here")

    for ask in (ranks.from_first, ranks.in_turn):
        assert ask(lambda: 7) == 7
        with pytest.raises(DataError, match="nothing here"):
            ask(fail)


def test_the_order_of_ranks() -> None:
    places = [(0, 0), (1, 1), (2, 0), (3, 1)]  # rank and local rank on two machines of two

    assert [Launch(rank=rank, local_rank=local).turn for rank, local in places] == [0, 2, 1, 2]


def test_a_launch_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Launch.read() == Launch()
    said = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    for name, value in (said | {"TORCHELASTIC_RESTART_COUNT": "5", "TORCHELASTIC_RUN_ID": "none"}).items():
        monkeypatch.setenv(name, value)

    first = Launch.read()
    assert first == Launch(3, 4, 1, 2, 5, first.job)
    assert first.job.startswith(f"{socket.gethostname()}:{os.getppid()}:")  # who has started this process
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "today")
    assert Launch.read().job == "today"


def test_without_accelerate_it_says_what_to_install(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)

    with pytest.raises(ConfigError, match=r"needs accelerate, which is not installed: pip install '\.\[distrib"):
        train(make_config(), tmp_path, options(data, work))


def test_ranks_do_not_share_a_graphics_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    with pytest.raises(DeviceError, match="3 ranks on this machine cannot share 2 CUDA devices"):
        Ranks(Launch(local_ranks=3))


@pytest.mark.parametrize("runner", ["single", "hogwild"])
def test_other_runners_are_not_for_torchrun(
    data: Path, tmp_path: Path, runner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    with pytest.raises(
        ConfigError, match=f"torchrun has started 2 ranks: use --runner distributed, not --runner {runner}"
    ):
        train(make_config(), tmp_path, Options(data, "random", runner=runner))  # type: ignore[arg-type]
