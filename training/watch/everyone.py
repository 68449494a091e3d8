"""Everyone who watches a run, told as one."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from omninet.training.watch.records import EvaluationRecord, StepRecord, Watcher

if TYPE_CHECKING:
    import torch

LOG = logging.getLogger(__name__)


class Everyone:
    """Tells several watchers; if one fails, that is said once, and the training goes on.

    Args:
        makers: name of a watcher -> how to make it.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Watcher]]) -> None:
        self._watchers: dict[str, Watcher] = {}
        self._failed: set[str] = set()
        self._lock = threading.Lock()
        for name, make in makers.items():
            with self._spared(name):
                self._watchers[name] = make()

    def step(self, record: StepRecord) -> None:
        """Tell everyone."""
        self._tell(lambda watcher: watcher.step(record))

    def evaluation(self, record: EvaluationRecord) -> None:
        """Tell everyone."""
        self._tell(lambda watcher: watcher.evaluation(record))

    def message(self, text: str) -> None:
        """Tell everyone."""
        self._tell(lambda watcher: watcher.message(text))

    def close(self) -> None:
        """Tell everyone."""
        self._tell(lambda watcher: watcher.close())

    def _tell(self, what: Callable[[Watcher], None]) -> None:
        with self._lock:  # an evaluation reports from a thread of its own
            for name, watcher in self._watchers.items():
                with self._spared(name):
                    what(watcher)

    @contextmanager
    def _spared(self, name: str) -> Iterator[None]:
        """Whatever is wrong with a watcher, a training of days must not end for it."""
        try:
            yield
        except Exception as error:
            if name not in self._failed:
                self._failed.add(name)
                LOG.warning("%s fails and may be incomplete; training goes on: %r", name, error)


def watchers(
    folder: Path,
    total_steps: int,
    start_step: int = 0,
    done: Mapping[str, int] | None = None,
    devices: Sequence[torch.device] = (),
) -> Watcher:
    """The log and the TensorBoard files under ``folder``, and a table or lines on stderr.

    Args:
        total_steps: of the run.
        start_step: steps done before this call; what the folder has of later ones is dropped.
        done: task -> how many of those were its own.
        devices: those of the run, for the memory in use on them.
    """
    return Everyone(
        {
            "the log": lambda: _log(folder / "log.jsonl", start_step),
            "TensorBoard": lambda: _board(folder / "tensorboard", start_step, devices),
            "the terminal": lambda: _terminal(total_steps, done or {}),
        }
    )


# Each imports what it needs, so that what is missing fails alone.


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
