"""States on disk."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from omninet.training.data import DataError
from omninet.training.runtime.shared import GlobalModel
from omninet.training.runtime.states import Progress, RunStates
from omninet.training.runtime.stop_and_go import Controller

JOBS = {"pos": 1, "vqa": 2}
# Forks children that write states for ever, and kills each at a random moment. Torch is imported once.
KILLER = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from torch import nn
from omninet.training.runtime.shared import GlobalModel
from omninet.training.runtime.states import Progress, RunStates

torch.set_num_threads(1)  # threads do not survive a fork
folder, generator = Path(sys.argv[1]), random.Random(0)
states, model = RunStates(folder, keep=2), GlobalModel(nn.Linear(700, 700), 1)
for round in range(20):
    child = os.fork()
    if child == 0:
        step = 0
        while True:
            step += 1
            model.values.fill_(step)
            states.save(model, Progress({"pos": [step]}))
    while not list((folder / "states").glob("*.pt")):
        time.sleep(0.001)
    time.sleep(generator.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    (folder / "states").rename(folder / str(round))
"""


def progress(step: int) -> Progress:
    return Progress({"pos": [step], "vqa": [2, 1]}, skipped={"vqa": 3}, seconds=1.5, best=20.0)


def model() -> GlobalModel:
    return GlobalModel(nn.Linear(2, 2), 1)


def test_a_state_comes_back(tmp_path: Path) -> None:
    saved, loaded = model(), model()
    saved.values.fill_(0.5)
    RunStates(tmp_path).save(saved, progress(4))

    found = RunStates(tmp_path).restore(loaded, JOBS)

    assert found == progress(4)
    assert (found.step, found.of("vqa")) == (7, 3)
    assert torch.equal(loaded.values, saved.values)


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    states = RunStates(tmp_path, keep=2)
    for step in (9, 10, 100):
        states.save(model(), Progress({"pos": [step]}))

    assert [path.name for path in states.all()] == ["000000010.pt", "000000100.pt"]


def test_another_number_of_workers_shares_the_steps(tmp_path: Path) -> None:
    RunStates(tmp_path).save(model(), progress(7))

    found = RunStates(tmp_path).restore(model(), {"pos": 3, "vqa": 2})

    assert found.drawn == {"pos": [3, 2, 2], "vqa": [2, 1]}


def test_steps_that_were_left_out_and_controllers_come_back(tmp_path: Path) -> None:
    saved = progress(7)
    saved.left_out, saved.resets = {"pos": [5], "vqa": [1, 0]}, 1
    saved.controllers = {"pos": Controller(best=50.0, bad=1, cooldown=1, stopped=True, validated=9)}
    states = RunStates(tmp_path)

    assert states.save(model(), saved).name == "000000016.pt"  # 10 updates and 6 steps that were left out
    assert states.progress() == states.restore(model(), JOBS) == saved

    found = states.restore(model(), {"pos": 2, "vqa": 1})
    assert found.drawn == {"pos": [4, 3], "vqa": [3]}
    assert found.left_out == {"pos": [2, 3], "vqa": [1]}  # each worker has done six


def test_a_state_of_an_earlier_version_has_nothing_left_out(tmp_path: Path) -> None:
    path = RunStates(tmp_path).save(model(), progress(7))
    state = torch.load(path)
    for name in ("left_out", "controllers", "resets"):
        del state["progress"][name]
    torch.save(state, path)

    found = RunStates(tmp_path).restore(model(), JOBS)

    assert (found.left_out, found.controllers) == ({"pos": [0], "vqa": [0, 0]}, {})


def test_states_that_cannot_be_resumed_are_named(tmp_path: Path) -> None:
    states = RunStates(tmp_path)
    with pytest.raises(DataError, match="holds no state: there is no run to resume"):
        states.restore(model(), JOBS)
    path = states.save(model(), progress(1))

    with pytest.raises(DataError, match="was saved for another network: parameter weight has shape"):
        states.restore(GlobalModel(nn.Linear(3, 2), 1), JOBS)
    with pytest.raises(DataError, match="has the tasks pos, vqa, the run pos"):
        states.restore(model(), {"pos": 1})
    torch.save(torch.load(path) | {"format": 7}, path)
    with pytest.raises(DataError, match="has format 7"):
        states.restore(model(), JOBS)


def test_progress_is_a_value() -> None:
    assert replace(progress(1), skipped={}) != progress(1)


@pytest.mark.slow
def test_a_kill_during_a_save_leaves_a_complete_state(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLER, str(tmp_path)], check=True, timeout=120)

    unfinished = list(tmp_path.glob("*/*.part"))
    for number in range(20):
        found = sorted((tmp_path / str(number)).glob("*.pt"))
        assert found
        for path in found:
            state = torch.load(path, weights_only=True)
            (step,) = state["progress"]["drawn"]["pos"]
            assert {float(v) for v in state["model"]["weight"]["value"].unique()} == {step}
    assert unfinished  # or no kill came in the middle of a write
