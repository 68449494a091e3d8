"""Dynamic stop-and-go: the controllers, and when steps are left out and tasks validated."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pytest

from omninet.training.config import RunConfig
from omninet.training.runtime.states import Progress
from omninet.training.runtime.stop_and_go import Controller, Scheduler, epoch_of, leaves_out, resets_by
from tests.training.conftest import make_config, run_values

# Scores, and whether the class of the authors has stopped the task after each of them.
TRACES = {
    "50 50.02 50.03 50.04 49.9 49.7 49.9 50.2 50.1 50.1 50.1": "00111111111",
    "40 42 41 41 41 41.9 41.9 41.9 43 42.9 42.9": "00010001111",
    "60 60.1 59 58 60.2 60.2 60.2 60.2 59.8 59.8": "0001111100",
}
EXAMPLES = {"caption": 8, "pos": 20, "vqa": 4, "activity": 4}  # batches of 4


@pytest.mark.parametrize(("scores", "stopped"), TRACES.items())
def test_traces_of_the_authors_class(scores: str, stopped: str) -> None:
    controller, found = Controller(), ""
    for score in map(float, scores.split()):
        controller.update(score)
        found += str(int(controller.stopped))

    assert found == stopped


def test_a_reset_forgets_the_best_and_lets_the_task_go() -> None:
    controller = Controller(validated=30)
    for score in (50.0, 50.0, 50.0):
        controller.update(score)
    assert controller == Controller(best=50.0, cooldown=1, stopped=True, validated=30)

    controller.reset()

    assert controller == Controller(validated=30)
    controller.update(10.0)
    assert (controller.best, controller.bad) == (10.0, 0)


def test_a_score_that_is_not_a_number_is_no_improvement() -> None:
    controller = Controller()
    for score in (50.0, math.nan, math.nan):
        controller.update(score)

    assert (controller.best, controller.stopped) == (50.0, True)


def test_a_stopped_task_takes_every_fourth_step() -> None:
    assert [number for number in range(12) if not leaves_out(True, number)] == [0, 4, 8]
    assert not any(leaves_out(False, number) for number in range(12))


def test_controllers_are_reset_after_one_and_two_thirds() -> None:
    assert [resets_by(step, 9) for step in range(10)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert [resets_by(step, 100) for step in (33, 34, 66, 67, 100, 130)] == [0, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("examples", "batch", "accumulate", "steps"), [(8, 4, 1, 2), (9, 4, 1, 3), (9, 4, 2, 2), (1, 4, 2, 1)]
)
def test_an_epoch_in_steps(examples: int, batch: int, accumulate: int, steps: int) -> None:
    values = run_values()["tasks"]["pos"] | {"batch": batch, "accumulate": accumulate}

    assert epoch_of(make_config(tasks={"pos": values}).tasks["pos"], examples) == steps


def progress_of(config: RunConfig) -> Progress:
    return Progress({task: [0] for task in config.tasks})


def scheduler(progress: Progress | None = None, **changes: Any) -> tuple[Scheduler, Progress]:
    config = make_config(scheduler="stop_and_go", **changes)
    progress = progress or progress_of(config)
    return Scheduler(config, EXAMPLES, progress), progress


def test_every_task_is_validated_after_its_own_epoch() -> None:
    schedule, progress = scheduler()
    assert schedule.due() == []

    progress.drawn |= {"caption": [1], "vqa": [1], "pos": [4], "activity": [3]}
    assert schedule.due() == ["activity", "vqa"]  # the longest overdue first

    schedule.validate("activity", 10.0, turns=3)
    schedule.validate("vqa", None, turns=1)
    assert schedule.due() == []
    assert (schedule.controllers["activity"].best, schedule.controllers["vqa"].best) == (10.0, -math.inf)

    progress.drawn["vqa"] = [2]
    progress.left_out["caption"] = [1]  # counts for the epoch
    assert schedule.due() == ["caption", "vqa"]


def test_only_a_stopped_task_leaves_out_steps() -> None:
    schedule, progress = scheduler()
    progress.drawn |= {"pos": [5], "vqa": [5]}
    schedule.controllers["pos"].stopped = True

    assert [task for task in progress.drawn if schedule.leaves_out(task)] == ["pos"]
    progress.left_out["pos"] = [3]
    assert not schedule.leaves_out("pos")  # number 8
    assert (progress.step, progress.updates, progress.turns("pos"), progress.of("pos")) == (13, 10, 8, 5)


def test_all_controllers_are_reset_twice() -> None:
    schedule, progress = scheduler(steps=9)
    resets = []
    for step in range(10):
        progress.drawn["pos"] = [step]
        schedule.controllers["vqa"].update(50.0)
        if schedule.reset_if_due():
            resets.append(step)
            assert not any(controller.best > 0 for controller in schedule.controllers.values())

    assert resets == [3, 6]
    assert progress.resets == 2


def test_the_state_is_part_of_the_progress() -> None:
    schedule, progress = scheduler()
    for score in (50.0, 50.0, 50.0):
        schedule.validate("pos", score, turns=7)

    loaded = Progress.of_values(asdict(progress))

    assert loaded == progress
    assert scheduler(loaded)[0].is_stopped("pos")
    assert loaded.controllers["pos"] == Controller(best=50.0, cooldown=1, stopped=True, validated=7)


def test_fixed_shares_have_no_controllers() -> None:
    config = make_config(steps=9)
    progress = progress_of(config)
    schedule = Scheduler(config, EXAMPLES, progress)
    progress.drawn["pos"] = [9]

    assert schedule.due() == []
    assert not schedule.reset_if_due()
    assert not schedule.leaves_out("pos")
    assert progress.controllers == {}
