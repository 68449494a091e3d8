"""The study of 12-in-1 on tiny data sets, as a command."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from omninet.command import main
from omninet.training import train as training
from omninet.training.config import RunConfig
from omninet.training.reproduce import Networks, twelve
from omninet.training.reproduce.parts import of_steps
from omninet.training.runtime import single
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.schedule import rate_of
from tests.training.conftest import make_config, run_values, write_daquar, write_flickr8k
from tests.training.data.pair_trees import write_flickr8k_match

SETS = {
    "vqa": ("daquar", write_daquar),
    "embed": ("flickr8k_retrieval", write_flickr8k),
    "match": ("flickr8k_match", write_flickr8k_match),
}
SHIPPED = Path(training.__file__).parent / "configs" / "reproduce_twelve.yaml"
Study = Callable[[], int]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the data sets of three tasks."""
    folder = tmp_path_factory.mktemp("sets")
    for name, write in SETS.values():
        write(folder / name)
    return folder


def values_of(steps: int) -> dict[str, Any]:
    tasks = {task: {"dataset": name, "folder": name, "batch": 4, "share": 1} for task, (name, _) in SETS.items()}
    return run_values(tasks=tasks, steps=steps, scheduler="stop_and_go", evaluation={"limit": 4})


@pytest.fixture
def study(sets: Path, tmp_path: Path) -> Study:
    """Return a function that runs the command with two seeds."""
    path = tmp_path / "twelve.yaml"
    path.write_text(yaml.safe_dump(values_of(18), sort_keys=False))
    command = ["reproduce", "twelve", str(path), "--data", str(sets), "--out", str(tmp_path / "out")]
    command += ["--backbone", "random", "--runner", "single", "--limit", "4", "--seeds", "0", "5"]
    return lambda: main(command)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    """Return a list that gets the folder, first step and scheduler of each training run."""
    found: list[tuple[str, int, str]] = []

    def run_single(run: Run, stop: Interrupt) -> bool:
        found.append((run.folder.name, run.progress.step, run.setup.config.scheduler))
        return single.run_single(run, stop)

    monkeypatch.setattr(training, "run_single", run_single)
    return found


def interrupt_at(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send SIGTERM to this process after the first step of the network with a name."""
    save = Run.check_skipped

    def check_skipped(run: Run) -> None:
        save(run)
        if run.folder.name == name and run.progress.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Run, "check_skipped", check_skipped)


def cells(path: Path) -> dict[str, list[str]]:
    """First cell of a row -> the others."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.slow
def test_the_study_is_resumed_where_it_was_interrupted(
    study: Study, trained: list[tuple[str, int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changes:
        interrupt_at("vqa-seed0-short-tuned", changes)
        assert study() == 128 + signal.SIGTERM
    before = list(trained)
    trained.clear()

    assert study() == 0

    everything = [name for name, _, _ in before + trained]
    assert before[-1][0] == "vqa-seed0-short-tuned"
    assert trained[0][:2] == ("vqa-seed0-short-tuned", 1)
    assert everything.count("vqa-seed0-short-tuned") == 2
    # Two seeds alone and together; alone, one group of several tasks, together twice and fine-tuned with fewer steps.
    assert len(set(everything)) == len(everything) - 1 == 2 * 4 + 3 + 1 + 2 + 3
    stopping = {name for name, _, scheduler in before + trained if scheduler == "stop_and_go"}
    assert stopping == {"all-seed0", "all-seed5", "all-seed0-short", "embed-match-seed0-short"}
    assert (tmp_path / "out" / "twelve.png").exists()

    rows = cells(tmp_path / "out" / "twelve.md")
    assert rows["paper, all together"] == ["-", "-", "-", "2.05", "270"]
    alone, together = rows["each task alone"], rows["all together"]
    assert "-" not in alone[:3] + together
    assert alone[3] == "-"
    assert float(alone[4]) > 2.5 * float(together[4])
    assert rows["retrieval alone, a third of the steps"][0] == "-"
    assert float(rows["questions alone, a third of the steps"][3]) == 0
    assert "arXiv:1912.02315" in (tmp_path / "out" / "twelve.md").read_text()

    trained.clear()
    monkeypatch.setattr(Networks, "_figures", None)  # nothing is measured again either
    assert study() == 0
    assert trained == []


def test_the_difference_is_the_mean_over_the_tasks_of_a_row() -> None:
    alone = {"vqa": 10.0, "match": 50.0, "truth": 60.0, "parameters": 30.0}

    found = twelve._compared({"vqa": 13.0, "match": 49.0, "parameters": 10.0}, alone)

    assert found == {"vqa": 13.0, "match": 49.0, "parameters": 10.0, "difference": 1.0}


def test_fewer_steps_have_the_same_learning_rates() -> None:
    config = make_config(steps=3000, warmup=300, cooldown=0.5)

    short = of_steps(config, 1000)

    for step in (30, 100, 400, 900):
        assert rate_of(short, "pos", step) == pytest.approx(rate_of(config, "pos", 3 * step), rel=0.02)


def test_the_shipped_configuration_has_all_groups() -> None:
    config = RunConfig.load(SHIPPED)

    groups = [[task for task in config.tasks if task in members] for members in twelve.GROUPS.values()]
    assert groups == [["vqa"], ["embed", "match"], ["ground"], ["entailment", "truth"]]
    assert set(config.tasks) == set(twelve.COLUMNS)
