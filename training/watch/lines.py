"""Periodic log lines about a run, for output that is not a terminal."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from omninet.training.watch.recent import Recent, RunProgress, clock
from omninet.training.watch.records import EvaluationRecord, ScheduleRecord, StepRecord

LOG = logging.getLogger(__name__)
PERIOD_S = 30.0  # of training time


class Lines:
    """Logs the progress every PERIOD_S seconds and at the end, and all messages."""

    def __init__(self, total_steps: int, done: Mapping[str, int]) -> None:
        self._progress = RunProgress(total_steps, done)
        self._logged_at: float | None = None

    def step(self, record: StepRecord) -> None:
        """Log the progress if due."""
        self._progress.add(record)
        if self._logged_at is None:
            self._logged_at = record.seconds
        if record.seconds - self._logged_at >= PERIOD_S:
            self._log_progress()

    def evaluation(self, record: EvaluationRecord) -> None:
        """Log an evaluation."""
        LOG.info("%s", record)

    def schedule(self, record: ScheduleRecord) -> None:
        """Ignore the state of a task; a message tells of changes."""

    def message(self, text: str) -> None:
        """Log a message."""
        LOG.info("%s", text)

    def close(self) -> None:
        """Log the final progress, unless it was just logged or there was no step."""
        if self._logged_at not in (None, self._progress.seconds):
            self._log_progress()

    def _log_progress(self) -> None:
        now = self._progress
        tasks = "; ".join(f"{task} {_figures(recent)}" for task, recent in now.tasks.items())
        where = f"step {now.step}/{now.total}"
        LOG.info("%s, %s elapsed, %s left: %s", where, clock(now.seconds), clock(now.left), tasks)
        self._logged_at = now.seconds


def _figures(recent: Recent) -> str:
    return f"loss {recent.loss:.3f}, accuracy {recent.accuracy:.1%}"
