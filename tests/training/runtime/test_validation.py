"""Runs of the one-process runner with stop-and-go: what is validated, reported, saved and resumed."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from omninet.model.errors import OmniNetError
from omninet.training.data import DataError
from omninet.training.evaluate import Answered
from omninet.training.runtime import loop, validation
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.schedule import draw_task, rate_of
from omninet.training.runtime.single import run_single
from omninet.training.runtime.validation import apply_score, score_of
from omninet.training.setup import Setup, set_up
from omninet.training.watch.log import read_log
from tests.training.conftest import make_config, run_values
from tests.training.runtime.test_single import After


def fresh(data: Path, work: Path, steps: int = 40, **changes: Any) -> Setup:
    """Return a run of two tasks, with epochs of two and of three steps."""
    tasks = {name: run_values()["tasks"][name] for name in ("vqa", "pos")}
    tasks["vqa"]["batch"] = 2
    values = {"tasks": tasks, "scheduler": "stop_and_go", "evaluation": {"limit": 2}, "steps": steps}
    return set_up(make_config(**values | changes), data, "random", work)


def train(setup: Setup, folder: Path, resume: bool = False, stop: Interrupt | None = None) -> Run:
    with Run(setup, folder, "One process", resume) as run:
        run_single(run, stop or Interrupt())
    return run


def entries(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [entry for entry in read_log(folder / "log.jsonl") if entry["kind"] == kind]


def untimed(folder: Path) -> list[dict[str, Any]]:
    """Return the steps and the validations of a log without times."""
    found = entries(folder, "step") + [entry for entry in entries(folder, "schedule") if entry["score"] is not None]
    return [entry | {"seconds": 0, "waiting": 0} for entry in found]


class Scores:
    """Stands for the measurement: the score of the task pos never rises, that of the other always does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: Counter[str] = Counter()
        monkeypatch.setattr(loop, "score_of", self)

    def __call__(self, run: Run, task: str) -> float:
        self.calls[task] += 1
        return 40.0 if task == "pos" else float(self.calls[task])


def test_a_stopped_task_leaves_out_three_of_four_steps(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = Scores(monkeypatch)
    setup = fresh(data, work, steps=90)

    run = train(setup, tmp_path)

    drawn = [draw_task(setup.config, step) for step in range(1, 91)]
    assert {task: run.progress.turns(task) for task in run.progress.drawn} == Counter(drawn)
    assert run.progress.left_out["vqa"] == [0]
    taken = [entry["step"] for entry in entries(tmp_path, "step") if entry["task"] == "pos"]
    numbers = [drawn[: step - 1].count("pos") for step in taken]  # of the steps of the task, from 0
    # It is stopped after 9 steps, and goes again after one third of the run, when the controllers are reset.
    third = drawn[:30].count("pos")
    assert third > 12
    assert [number for number in numbers if number < third] == [
        number for number in range(third) if number < 9 or number % 4 == 0
    ]
    assert scores.calls["pos"] == drawn[:-1].count("pos") // 3


def test_the_learning_rate_counts_steps_that_are_left_out(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scores(monkeypatch)
    setup = fresh(data, work, steps=60, cooldown=0.5)

    run = train(setup, tmp_path)

    steps = entries(tmp_path, "step")
    assert len(steps) == run.progress.updates < run.progress.step == 60
    for entry in steps:
        assert entry["rate"] == pytest.approx(rate_of(setup.config, entry["task"], entry["step"]), rel=1e-5)
    assert {entry["staleness"] for entry in steps} == {0}


def test_validations_and_changes_are_reported(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scores(monkeypatch)

    train(fresh(data, work, steps=60), tmp_path)

    found = [entry for entry in entries(tmp_path, "schedule") if entry["task"] == "pos"]
    measured = [(entry["score"], entry["stopped"], entry["best"]) for entry in found if entry["score"] is not None]
    assert measured[:3] == [(40.0, False, 40.0), (40.0, False, 40.0), (40.0, True, 40.0)]
    assert [(e["stopped"], e["best"]) for e in found if e["score"] is None] == [(False, None)] * 2
    said = [entry["text"] for entry in entries(tmp_path, "message")]
    assert said[0] == "task pos is stopped and takes one of 4 steps: its score is 40, the best was 40"
    resets = [text for text in said if "reset" in text]
    assert resets == [f"stop-and-go: all tasks go again, the controllers are reset at step {step}" for step in (20, 40)]


def test_a_task_that_forgets_goes_again(data: Path, work: Path, tmp_path: Path) -> None:
    with Run(fresh(data, work), tmp_path, "One process") as run:
        for number, score in enumerate((40.0, 40.0, 40.0, 39.0)):
            apply_score(run, "pos", score, turns=3 * number)

    assert [entry["text"] for entry in entries(tmp_path, "message")] == [
        "task pos is stopped and takes one of 4 steps: its score is 40, the best was 40",
        "task pos goes again: its score is 39, the best was 40",
    ]
    assert [entry["stopped"] for entry in entries(tmp_path, "schedule")] == [False, False, True, False]


def measured_but_flat(run: Run, task: str) -> float:
    """Measure as every run does, but return a score that never rises, so that tasks are stopped on every CPU."""
    score_of(run, task)
    return 40.0


@pytest.fixture
def flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "score_of", measured_but_flat)


@pytest.fixture(scope="module")
def whole(data: Path, work: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return an uninterrupted run whose tasks are stopped soon."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(loop, "score_of", measured_but_flat)
        return train(fresh(data, work, steps=30), tmp_path_factory.mktemp("whole"))


@pytest.mark.usefixtures("flat")
@pytest.mark.parametrize("stop", [8, 18])
def test_stopped_and_resumed_is_the_same_bit_for_bit(
    data: Path, work: Path, tmp_path: Path, stop: int, whole: Run
) -> None:
    interrupted = train(fresh(data, work, steps=30), tmp_path, stop=After(stop))
    assert interrupted.progress.step == stop
    if stop == 8:
        assert any(interrupted.scheduler.is_stopped(task) for task in interrupted.progress.drawn)
    torch.manual_seed(99)  # another process has other random numbers
    resumed = train(fresh(data, work, steps=30), tmp_path, resume=True)

    assert untimed(tmp_path) == untimed(whole.folder)
    assert sum(map(sum, whole.progress.left_out.values())) > 0
    for name in ("drawn", "left_out", "controllers", "resets"):
        assert getattr(resumed.progress, name) == getattr(whole.progress, name)
    for kind in ("values", "first", "second"):
        assert torch.equal(getattr(resumed.model, kind), getattr(whole.model, kind))


def test_a_state_saved_before_a_validation_is_resumed_with_it(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(fresh(data, work, steps=12), tmp_path / "whole")

    def fail(run: Run, task: str) -> float:
        raise MemoryError

    monkeypatch.setattr(loop, "score_of", fail)
    with pytest.raises(MemoryError):
        train(fresh(data, work, steps=12), tmp_path / "parts")
    monkeypatch.undo()
    resumed = train(fresh(data, work, steps=12), tmp_path / "parts", resume=True)

    assert untimed(tmp_path / "parts") == untimed(tmp_path / "whole")
    assert resumed.progress.controllers == expected.progress.controllers


def test_a_resumed_run_reports_its_stopped_tasks(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scores(monkeypatch)
    interrupted = train(fresh(data, work, steps=90), tmp_path, stop=After(25))
    assert interrupted.scheduler.is_stopped("pos")
    before = len(entries(tmp_path, "schedule"))

    train(fresh(data, work, steps=90), tmp_path, resume=True, stop=After(0))

    (entry,) = entries(tmp_path, "schedule")[before:]
    assert (entry["task"], entry["stopped"], entry["score"], entry["best"]) == ("pos", True, None, 40.0)


def test_the_score_is_the_headline_metric_of_the_first_data_set(data: Path, work: Path, tmp_path: Path) -> None:
    """The expected values are those of an evaluation of all tasks."""
    copy = Path(shutil.copytree(data, tmp_path / "data"))
    shutil.copytree(copy / "daquar", copy / "other")
    (copy / "other" / "qa_dev.csv").write_text("question,answer,image_id\n")  # no example: must not be read
    tasks = run_values()["tasks"]
    tasks["vqa"]["more"] = [{"dataset": "daquar", "folder": "other"}]
    setup = fresh(copy, work, tasks=tasks)
    with Run(setup, tmp_path / "run", "One process") as run:
        scores = {task: score_of(run, task) for task in setup.config.tasks}

    with Run(fresh(data, work, tasks=run_values()["tasks"]), tmp_path / "other run", "One process") as run:
        run.evaluate()
    (found,) = entries(tmp_path / "other run", "evaluation")
    headlines = {"caption": "caption/BLEU-4", "vqa": "vqa/accuracy", "activity": "activity/top-1"}
    headlines["pos"] = "pos/accuracy of words"
    for task, name in headlines.items():
        assert scores[task] == pytest.approx(found["measures"][name]), task


def test_a_failing_validation_is_reported_and_training_continues(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OmniNetError("the photo is gone")

    monkeypatch.setattr(validation, "answer_source", fail)

    run = train(fresh(data, work, steps=12), tmp_path)

    assert run.progress.updates == 12
    said = [entry["text"] for entry in entries(tmp_path, "message")]
    assert "validation of task pos failed: the photo is gone" in said
    assert len(said) <= 12 // 2  # once an epoch, not at every step


def test_dev_examples_without_any_metric_are_reported(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answered, "metrics", lambda answered: {})
    with Run(fresh(data, work), tmp_path, "One process") as run:
        assert score_of(run, "pos") is None

    (entry,) = entries(tmp_path, "message")
    assert entry["text"] == "validation of task pos failed: no metric can be computed from 2 examples of ewt"


def test_a_data_set_without_dev_examples_is_refused_at_the_start(data: Path, work: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "data"))
    (copy / "daquar" / "qa_dev.csv").write_text("question,answer,image_id\n")

    with pytest.raises(DataError, match=r"daquar holds no dev example, and scheduler stop_and_go needs some to valid"):
        Run(fresh(copy, work), tmp_path / "run", "One process")

    assert not (tmp_path / "run").exists()
    Run(fresh(copy, work, scheduler="fixed_shares"), tmp_path / "run", "One process").watcher.close()
