"""Validation of the tasks of a Hogwild run with stop-and-go, while the workers continue."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from omninet.training.runtime.run import Run
from omninet.training.runtime.validation import apply_score, report_stopped, reset_controllers, score_of


class Validator:
    """Measures one task at a time in a thread; the controllers are changed by the calling thread only.

    That thread also saves them, so that a saved state never has a half changed controller.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._scores: SimpleQueue[tuple[str, float | None, int]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        report_stopped(run)

    def apply(self) -> None:
        """Apply a score that has been measured, and reset the controllers if that is due."""
        if not self._scores.empty():
            apply_score(self.run, *self._scores.get())
            self._thread = None
        reset_controllers(self.run)

    def start_if_due(self) -> None:
        """Start to measure the task whose validation is the longest overdue, unless the last one is not applied yet."""
        if self._thread is None and (due := self.run.scheduler.due()):
            self._thread = threading.Thread(target=self._measure, args=(due[0],), daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Wait for the task that is being measured, and apply its score."""
        if self._thread is not None:
            self._thread.join()
        self.apply()

    def _measure(self, task: str) -> None:
        turns, score = self.run.progress.turns(task), None
        try:
            score = score_of(self.run, task)
        finally:  # the task is measured again only after another epoch, whatever the error was
            self._scores.put((task, score, turns))
