"""Live table of a run in the terminal."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from omninet.training.watch.recent import Recent, RunProgress, clock
from omninet.training.watch.records import EvaluationRecord, ScheduleRecord, StepRecord

REFRESH_S = 0.25
MESSAGES = 5
BARS = "▁▂▃▄▅▆▇█"
# Short titles, so that the table fits into 80 columns.
COLUMNS = ("steps", "loss", "accuracy", "rate", "samples/s", "steps/s", "waits", "stale", "skips")


class LiveTable:
    """Shows one row per task, smoothed over its latest steps, with the progress above and the last messages below.

    Log messages of other modules are printed above the table.
    """

    def __init__(self, total_steps: int, done: Mapping[str, int], console: Console | None = None) -> None:
        self._progress = RunProgress(total_steps, done)
        self._messages: deque[str] = deque(maxlen=MESSAGES)
        self._stopped: dict[str, bool] = {}
        self._drawn = 0.0
        console = console or Console(stderr=True)
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, get_renderable=self.render)
        self._handlers = _handlers_of_the_terminal()
        self._live.start()
        self._redirect_logging()

    def step(self, record: StepRecord) -> None:
        """Add a step, and redraw if REFRESH_S have passed."""
        self._progress.add(record)
        if time.monotonic() - self._drawn >= REFRESH_S:
            self._draw()

    def evaluation(self, record: EvaluationRecord) -> None:
        """Show an evaluation as a message."""
        self.message(str(record))

    def schedule(self, record: ScheduleRecord) -> None:
        """Show which tasks are stopped, in a line below the table."""
        self._stopped[record.task] = record.stopped
        self._draw()

    def message(self, text: str) -> None:
        """Show a message until newer ones replace it."""
        self._messages.append(f"{time.strftime('%H:%M:%S')} {text}")
        self._draw()

    def close(self) -> None:
        """Draw the final table and stop."""
        self._draw()
        self._live.stop()
        self._redirect_logging()

    def _draw(self) -> None:
        self._live.refresh()
        self._drawn = time.monotonic()

    def _redirect_logging(self) -> None:
        # Live replaces sys.stderr, but existing handlers refer to the real one, so they are redirected and restored.
        for handler in self._handlers:
            handler.setStream(sys.stderr)

    def render(self) -> Group:
        """Return the current table."""
        messages = [Text(message, style="dim") for message in self._messages]
        return Group(self._header(), self._table(), *self._loads(), *self._schedule(), *messages)

    def _loads(self) -> list[Text]:
        """Return a line for each task that says how busy its experts are; none without mixtures of experts."""
        found = {task: recent.loads for task, recent in self._progress.tasks.items() if recent.loads}
        return [Text(f"experts of {task}: {_bars(loads)}", no_wrap=True) for task, loads in found.items()]

    def _schedule(self) -> list[Text]:
        """Return a line that names the stopped tasks; none if no task has ever been stopped or validated."""
        stopped = [task for task, is_stopped in self._stopped.items() if is_stopped]
        return [Text(f"stop-and-go: {', '.join(stopped) or 'no task'} stopped")] if self._stopped else []

    def _header(self) -> Text:
        now = self._progress
        share = now.step / now.total
        return Text(
            f"step {now.step:,}/{now.total:,} ({share:.0%})   elapsed {clock(now.seconds)}   left {clock(now.left)}"
        )

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, collapse_padding=True)
        table.add_column("task", no_wrap=True)
        for name in COLUMNS:
            table.add_column(name, justify="right", no_wrap=True)
        for task, count in self._progress.counts.items():
            recent = self._progress.tasks.get(task)
            table.add_row(task, f"{count:,}", *(_cells(recent) if recent else ()))
        return table


def _cells(recent: Recent) -> list[str]:
    return [
        f"{recent.loss:.3f}",
        f"{recent.accuracy:.1%}",
        f"{recent.rate:.2e}",
        _known(recent.samples_per_second, ".1f"),
        _known(recent.steps_per_second, ".2f"),
        _known(recent.waiting, ".0%"),
        f"{recent.staleness:g}",
        f"{recent.skipped:,}",
    ]


def _bars(loads: Mapping[str, Sequence[float]]) -> str:
    """Draw the load of each expert as a bar; the highest one is twice the mean load or more."""
    drawn = []
    for name, shares in loads.items():
        levels = [min(int(share * len(shares) / 2 * len(BARS)), len(BARS) - 1) for share in shares]
        drawn.append(f"{name} {''.join(BARS[level] for level in levels)}")
    return "  ".join(drawn)


def _known(value: float | None, form: str) -> str:
    return "?" if value is None else format(value, form)


def _handlers_of_the_terminal() -> list[logging.StreamHandler[Any]]:
    return [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler) and h.stream is sys.stderr]
