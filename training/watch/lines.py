"""A plain line now and then, where there is no terminal."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from omninet.training.watch.recent import Recent, Standing, clock
from omninet.training.watch.records import EvaluationRecord, StepRecord

LOG = logging.getLogger(__name__)
PERIOD_S = 30.0  # of the run's own clock


class Lines:
    """Logs how far a run is every PERIOD_S seconds and at its end, and every message."""

    def __init__(self, total_steps: int, done: Mapping[str, int]) -> None:
        self._standing = Standing(total_steps, done)
        self._said: float | None = None

    def step(self, record: StepRecord) -> None:
        """A line if one is due."""
        self._standing.add(record)
        if self._said is None:
            self._said = record.seconds
        if record.seconds - self._said >= PERIOD_S:
            self._say()

    def evaluation(self, record: EvaluationRecord) -> None:
        """A line."""
        LOG.info("%s", record)

    def message(self, text: str) -> None:
        """A line."""
        LOG.info("%s", text)

    def close(self) -> None:
        """The last line, unless it was just said or there was no step."""
        if self._said not in (None, self._standing.seconds):
            self._say()

    def _say(self) -> None:
        now = self._standing
        tasks = "; ".join(f"{task} {_figures(recent)}" for task, recent in now.tasks.items())
        where = f"step {now.step}/{now.total}"
        LOG.info("%s, %s elapsed, %s left: %s", where, clock(now.seconds), clock(now.left), tasks)
        self._said = now.seconds


def _figures(recent: Recent) -> str:
    return f"loss {recent.loss:.3f}, accuracy {recent.accuracy:.1%}"
