"""The command under torchrun: what it survives, how it ends."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from omninet.training.runtime.states import RunStates
from omninet.training.train import Options, train
from tests.training.conftest import make_config
from tests.training.distributed.conftest import PATIENCE_S, messages_of, output_of, steps_of, torchrun

pytestmark = pytest.mark.slow


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ranks_of(process: subprocess.Popen[str]) -> dict[int, psutil.Process]:
    """The processes of the ranks."""
    children = psutil.Process(process.pid).children()
    return {int(child.environ()["RANK"]): child for child in children if "RANK" in child.environ()}


def has_steps(folder: Path, count: int) -> bool:
    return (folder / "log.jsonl").exists() and len(steps_of(folder)) >= count


def test_a_killed_rank_is_restarted_from_the_last_state(config_file: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    changes = ("--backbone", "random", "--steps", 30, "--set", "checkpoints.every_s=0.1", "--threads", 2)
    command = ("-m", "omninet", "train", config_file, "--runner", "distributed", "--data", data, "--out", out)

    with torchrun("--max-restarts=1", *command, *changes) as process:
        wait_for(lambda: bool(RunStates(out).all()) and has_steps(out, 8))
        ranks_of(process)[1].send_signal(signal.SIGKILL)
        said = output_of(process)

    assert process.returncode == 0, said
    assert f"{out / 'checkpoint'}\n" in said
    assert (out / "checkpoint" / "model.safetensors").is_file()
    assert " on 2 ranks; torchrun has restarted all ranks, restart 1" in messages_of(out)
    assert [step["step"] for step in steps_of(out)] == list(range(1, 31))


def test_sigterm_saves_and_stops_and_fewer_ranks_resume(
    config_file: Path, data: Path, work: Path, tmp_path: Path
) -> None:
    command = ("train", config_file, "--runner", "distributed", "--data", data, "--out", tmp_path, "--steps", 10_000)

    with torchrun("-m", "omninet", *command, "--backbone", "random") as process:
        wait_for(lambda: has_steps(tmp_path, 5))
        ranks = ranks_of(process)
        process.send_signal(signal.SIGTERM)
        said = output_of(process)

    (state,) = RunStates(tmp_path).all()
    stopped = len(steps_of(tmp_path))
    assert stopped == int(state.stem) < 10_000
    assert said.count(f"stopped at step {stopped}; continue with --resume") == 1
    assert not any(rank.is_running() for rank in ranks.values())

    options = Options(data, runner="distributed", resume=True, threads=1, work=work)
    train(make_config(steps=stopped + 2), tmp_path, options)
    assert f"continues from step {stopped} on 1 rank, previously on 2 ranks" in messages_of(tmp_path)
    assert len(steps_of(tmp_path)) == stopped + 2
