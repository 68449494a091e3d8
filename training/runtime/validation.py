"""Validation of single tasks for stop-and-go: measure the dev score, update the controller, report its state."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from omninet.model.errors import OmniNetError
from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.data import DataError
from omninet.training.evaluate.answering import answer_source
from omninet.training.runtime.stop_and_go import GAP
from omninet.training.watch import ScheduleRecord

if TYPE_CHECKING:
    from omninet.training.runtime.run import Run


def check_dev_data(config: RunConfig, data: Path) -> None:
    """Check, if the scheduler validates tasks, that the first data set of every task has dev examples.

    Raises:
        DataError: there is none, or the files cannot be read; found now rather than after the first epoch.
    """
    if config.scheduler == "stop_and_go":
        for task, run in config.tasks.items():
            if not run.data_set(data).read("dev"):
                raise DataError(
                    f"{data / run.folder} holds no dev example, and scheduler stop_and_go needs some to validate "
                    f"task {task}: add some, or set scheduler: fixed_shares"
                )


def score_of(run: Run, task: str) -> float | None:
    """Return the headline metric of the current model on dev examples of a task's first data set.

    Errors in the dev data are reported as a message and give None; training continues.
    """
    config = run.setup.config
    try:
        predictor = Predictor(run.setup.snapshot(""), device="cpu", precision="float32")
        answered = answer_source(
            predictor, config, config.tasks[task], run.setup.data, config.evaluation.limit, bar=False
        )
        if metrics := list(answered.metrics().values()):
            return metrics[0]
        raise DataError(f"no metric can be computed from {len(answered.examples)} examples of {answered.data}")
    except OmniNetError as error:
        run.watcher.message(f"validation of task {task} failed: {error}")
        return None


def apply_score(run: Run, task: str, score: float | None, turns: int) -> None:
    """Pass a score to the controller of a task, and report the new state. See Scheduler.validate."""
    controller = run.scheduler.controllers[task]
    before = controller.stopped
    run.scheduler.validate(task, score, turns)
    if score is not None:
        _record(run, task, score)
    if controller.stopped != before:
        change = f"is stopped and takes one of {GAP} steps" if controller.stopped else "goes again"
        run.watcher.message(f"task {task} {change}: its score is {score:.4g}, the best was {controller.best:.4g}")


def reset_controllers(run: Run) -> None:
    """Reset the controllers if that is due, and report it."""
    if run.scheduler.reset_if_due():
        run.watcher.message(f"stop-and-go: all tasks go again, the controllers are reset at step {run.progress.step}")
        for task in run.scheduler.controllers:
            _record(run, task)


def report_stopped(run: Run) -> None:
    """Report the tasks that were already stopped when the run was resumed."""
    for task in run.scheduler.controllers:
        if run.scheduler.is_stopped(task):
            _record(run, task)


def _record(run: Run, task: str, score: float | None = None) -> None:
    controller = run.scheduler.controllers[task]
    best = controller.best if math.isfinite(controller.best) else None
    record = ScheduleRecord(run.progress.step, time.time() - run.began, task, controller.stopped, score, best)
    run.watcher.schedule(record)
