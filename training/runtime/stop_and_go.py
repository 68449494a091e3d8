"""Dynamic stop-and-go (12-in-1: Lu et al. 2019): a task whose dev score no longer rises is trained less often.

The order of operations is that of the class ``MultiTaskStopOnPlateau`` in the authors' code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omninet.training.config import RunConfig, TaskRun
    from omninet.training.runtime.states import Progress

BETTER, WORSE = 1.001, 0.995  # factors of the best score: above is an improvement, below a stopped task goes again
PATIENCE = 1  # validations in a row without an improvement that a task may have before it is stopped
COOLDOWN = 1  # validations after a change during which missing improvements are not counted
GAP = 4  # a stopped task takes one of this many of its steps
RESETS = 2  # times that all controllers are reset, evenly spaced: after one and two thirds of the steps


@dataclass
class Controller:
    """Decides from the dev scores of one task whether the task is stopped.

    Attributes:
        best: highest score so far that was an improvement; higher scores are better.
        bad: validations in a row without an improvement.
        cooldown: validations left during which missing improvements are not counted.
        validated: steps of the task, taken or left out, before its last validation.
    """

    best: float = -math.inf
    bad: int = 0
    cooldown: int = 0
    stopped: bool = False
    validated: int = 0

    def update(self, score: float) -> None:
        """Stop the task, let it go, or leave it as it is, after a validation with this score."""
        if score > self.best * BETTER:
            self.best, self.bad = score, 0
        else:
            self.bad += 1
        if self.cooldown:
            self.cooldown, self.bad = self.cooldown - 1, 0
        if self.bad > PATIENCE:
            self._set(stopped=True)
        elif self.stopped and score < self.best * WORSE:
            self._set(stopped=False)

    def reset(self) -> None:
        """Forget all scores and let the task go."""
        self.best, self.bad, self.cooldown, self.stopped = -math.inf, 0, 0, False

    def _set(self, stopped: bool) -> None:
        self.stopped, self.cooldown, self.bad = stopped, COOLDOWN, 0


def leaves_out(is_stopped: bool, number: int) -> bool:
    """Return whether a task leaves out its step ``number``, counted from 0 over steps taken and left out."""
    return is_stopped and number % GAP != 0


def resets_by(step: int, steps: int) -> int:
    """Return the number of resets that are due when ``step`` of ``steps`` steps are done."""
    return min(RESETS, step * (RESETS + 1) // steps)


def epoch_of(run: TaskRun, examples: int) -> int:
    """Return the number of steps in which a task sees all of its training examples once."""
    return math.ceil(math.ceil(examples / run.batch) / run.accumulate)


class Scheduler:
    """Decides which steps are taken and which tasks are validated.

    There are controllers only with ``scheduler: stop_and_go``; without them every step is taken, and no task is
    validated.

    Args:
        examples: task -> number of its training examples.
        progress: of the run; it holds the controllers, so that they are saved and resumed with it.
    """

    def __init__(self, config: RunConfig, examples: Mapping[str, int], progress: Progress) -> None:
        self._progress, self._steps = progress, config.steps
        self._epochs = {task: epoch_of(run, examples[task]) for task, run in config.tasks.items()}
        if config.scheduler == "stop_and_go":
            for task in config.tasks:
                progress.controllers.setdefault(task, Controller())

    @property
    def controllers(self) -> Mapping[str, Controller]:
        """Return the controller of each task; none if the tasks keep their shares."""
        return self._progress.controllers

    def is_stopped(self, task: str) -> bool:
        """Return whether a task takes only every GAP-th of its steps."""
        return task in self.controllers and self.controllers[task].stopped

    def leaves_out(self, task: str) -> bool:
        """Return whether a task leaves out its next step."""
        return leaves_out(self.is_stopped(task), self._progress.turns(task))

    def due(self) -> list[str]:
        """Return the tasks that have finished an epoch since their last validation, the longest overdue first.

        Steps that a stopped task has left out count, so that it is validated as often as before it was stopped.
        """
        waiting = {
            task: (self._progress.turns(task) - controller.validated) / self._epochs[task]
            for task, controller in self.controllers.items()
        }
        return sorted((task for task, epochs in waiting.items() if epochs >= 1), key=lambda task: -waiting[task])

    def validate(self, task: str, score: float | None, turns: int) -> None:
        """Update the controller of a task.

        Args:
            score: on the dev examples; None if it could not be measured, which changes nothing until the next epoch.
            turns: steps of the task, taken or left out, before the measurement.
        """
        controller = self.controllers[task]
        controller.validated = turns
        if score is not None:
            controller.update(score)

    def reset_if_due(self) -> bool:
        """Reset all controllers after one and two thirds of the run's steps; return whether that was done now."""
        due = resets_by(self._progress.step, self._steps)
        if not self.controllers or due <= self._progress.resets:
            return False
        self._progress.resets = due
        for controller in self.controllers.values():
            controller.reset()
        return True
