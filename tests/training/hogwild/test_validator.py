"""Validation of the tasks of a Hogwild run in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from omninet.training.hogwild import validator as validators
from omninet.training.hogwild.validator import Validator
from omninet.training.runtime.run import Run
from omninet.training.setup import set_up
from tests.training.conftest import make_config


@pytest.fixture
def run(data: Path, work: Path, tmp_path: Path) -> Iterator[Run]:
    """Return a run in which an epoch is one step of vqa and activity, three of pos and two of caption."""
    setup = set_up(make_config(scheduler="stop_and_go", steps=900), data, "random", work)
    with Run(setup, tmp_path, "Hogwild") as run:
        yield run


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_one_task_at_a_time_is_measured(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, measured = threading.Event(), []

    def score(run: Run, task: str) -> float:
        measured.append(task)
        go_on.wait(10)
        return 50.0

    monkeypatch.setattr(validators, "score_of", score)
    validator = Validator(run)
    run.progress.drawn |= {"vqa": [2], "pos": [3]}
    validator.start_if_due()
    wait_for(lambda: measured == ["vqa"])
    run.progress.drawn["vqa"] = [6]
    validator.apply()
    validator.start_if_due()  # vqa is still being measured
    assert run.scheduler.due() == ["vqa", "pos"]
    assert run.progress.controllers["vqa"].validated == 0

    go_on.set()
    validator.finish()

    controller = run.progress.controllers["vqa"]
    assert (controller.best, controller.validated) == (50.0, 2)  # of when the measurement began
    assert measured == ["vqa"]
    validator.start_if_due()
    validator.finish()
    assert measured == ["vqa", "vqa"]


def test_a_controller_changes_only_when_a_score_is_applied(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validators, "score_of", lambda run, task: 50.0)
    validator = Validator(run)
    run.progress.drawn["pos"] = [3]
    before = threading.active_count()
    validator.start_if_due()
    wait_for(lambda: threading.active_count() == before)

    assert run.progress.controllers["pos"].best < 0
    validator.apply()
    assert run.progress.controllers["pos"].best == 50


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_does_not_end_later_validations(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(run: Run, task: str) -> float:
        raise MemoryError

    monkeypatch.setattr(validators, "score_of", fail)
    validator = Validator(run)
    run.progress.drawn["pos"] = [3]
    validator.start_if_due()
    validator.finish()

    assert run.progress.controllers["pos"].validated == 3
    assert run.scheduler.due() == []
    monkeypatch.setattr(validators, "score_of", lambda run, task: 50.0)
    run.progress.drawn["pos"] = [6]
    validator.start_if_due()
    validator.finish()
    assert run.progress.controllers["pos"].best == 50


def test_controllers_are_reset_by_the_step_of_the_run(run: Run) -> None:
    run.progress.controllers["pos"].stopped = True
    validator = Validator(run)
    run.progress.drawn["pos"] = [299]
    validator.apply()
    assert run.scheduler.is_stopped("pos")

    run.progress.drawn["pos"] = [300]
    validator.apply()

    assert not run.scheduler.is_stopped("pos")
