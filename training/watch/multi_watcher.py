"""Distribution of reports to several watchers."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from omninet.training.watch.records import EvaluationRecord, ScheduleRecord, StepRecord, Watcher

if TYPE_CHECKING:
    import torch

LOG = logging.getLogger(__name__)


class MultiWatcher:
    """Forwards reports to several watchers; a failing one is logged once and does not stop the training.

    Args:
        makers: name of a watcher -> function that creates it.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Watcher]]) -> None:
        self._watchers: dict[str, Watcher] = {}
        self._failed: set[str] = set()
        self._lock = threading.Lock()
        for name, make in makers.items():
            with self._suppressed(name):
                self._watchers[name] = make()

    def step(self, record: StepRecord) -> None:
        """Forward a step."""
        self._forward(lambda watcher: watcher.step(record))

    def evaluation(self, record: EvaluationRecord) -> None:
        """Forward an evaluation."""
        self._forward(lambda watcher: watcher.evaluation(record))

    def schedule(self, record: ScheduleRecord) -> None:
        """Forward the state of a task."""
        self._forward(lambda watcher: watcher.schedule(record))

    def message(self, text: str) -> None:
        """Forward a message."""
        self._forward(lambda watcher: watcher.message(text))

    def close(self) -> None:
        """Close all watchers."""
        self._forward(lambda watcher: watcher.close())

    def _forward(self, what: Callable[[Watcher], None]) -> None:
        with self._lock:  # an evaluation reports from a thread of its own
            for name, watcher in self._watchers.items():
                with self._suppressed(name):
                    what(watcher)

    @contextmanager
    def _suppressed(self, name: str) -> Iterator[None]:
        """Suppress exceptions of a watcher, which must not end a long training run; log the first one."""
        try:
            yield
        except Exception as error:
            if name not in self._failed:
                self._failed.add(name)
                LOG.warning("%s failed and may be incomplete; training continues: %r", name, error)


def watchers(
    folder: Path,
    total_steps: int,
    start_step: int = 0,
    done: Mapping[str, int] | None = None,
    devices: Sequence[torch.device] = (),
) -> Watcher:
    """Return a watcher that writes log and TensorBoard files under ``folder``, and a table or lines to stderr.

    Args:
        total_steps: steps of the run.
        start_step: steps done before this call; records of later steps in the folder are dropped.
        done: task -> steps done before this call.
        devices: of the run, whose memory is recorded.
    """
    return MultiWatcher(
        {
            "the log": lambda: _log(folder / "log.jsonl", start_step),
            "TensorBoard": lambda: _board(folder / "tensorboard", start_step, devices),
            "the terminal": lambda: _terminal(total_steps, done or {}),
        }
    )


# Each function imports its own dependencies, so that a missing package disables only one watcher.


def _log(path: Path, start_step: int) -> Watcher:
    from omninet.training.watch.log import Log

    return Log(path, start_step)


def _board(folder: Path, start_step: int, devices: Sequence[torch.device]) -> Watcher:
    from omninet.training.watch.board import Board

    return Board(folder, start_step, devices)


def _terminal(total_steps: int, done: Mapping[str, int]) -> Watcher:
    if sys.stderr.isatty():
        from omninet.training.watch.table import LiveTable

        return LiveTable(total_steps, done)
    from omninet.training.watch.lines import Lines

    return Lines(total_steps, done)
