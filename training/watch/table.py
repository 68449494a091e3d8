"""A live table in the terminal."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from omninet.training.watch.recent import Recent, Standing, clock
from omninet.training.watch.records import EvaluationRecord, StepRecord

REFRESH_S = 0.25
MESSAGES = 5
# Short, so that 80 columns are enough.
COLUMNS = ("steps", "loss", "accuracy", "rate", "samples/s", "steps/s", "waits", "stale", "skips")


class LiveTable:
    """A row a task, smoothed over its latest steps; how far the run is above, the last messages below.

    While it is shown, what others log to the terminal goes above it.
    """

    def __init__(self, total_steps: int, done: Mapping[str, int], console: Console | None = None) -> None:
        self._standing = Standing(total_steps, done)
        self._messages: deque[str] = deque(maxlen=MESSAGES)
        self._drawn = 0.0
        console = console or Console(stderr=True)
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, get_renderable=self.render)
        self._handlers = _handlers_of_the_terminal()
        self._live.start()
        self._redirect_logging()

    def step(self, record: StepRecord) -> None:
        """Drawn at the next refresh."""
        self._standing.add(record)
        if time.monotonic() - self._drawn >= REFRESH_S:
            self._draw()

    def evaluation(self, record: EvaluationRecord) -> None:
        """Shown as a message."""
        self.message(str(record))

    def message(self, text: str) -> None:
        """Shown until newer ones take its place."""
        self._messages.append(f"{time.strftime('%H:%M:%S')} {text}")
        self._draw()

    def close(self) -> None:
        """The table stays as it last was."""
        self._draw()
        self._live.stop()
        self._redirect_logging()

    def _draw(self) -> None:
        self._live.refresh()
        self._drawn = time.monotonic()

    def _redirect_logging(self) -> None:
        # Live puts itself in the place of sys.stderr, but handlers have kept the real one, and back.
        for handler in self._handlers:
            handler.setStream(sys.stderr)

    def render(self) -> Group:
        """What is shown now."""
        return Group(self._header(), self._table(), *(Text(message, style="dim") for message in self._messages))

    def _header(self) -> Text:
        now = self._standing
        share = now.step / now.total
        return Text(
            f"step {now.step:,}/{now.total:,} ({share:.0%})   elapsed {clock(now.seconds)}   left {clock(now.left)}"
        )

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, collapse_padding=True)
        table.add_column("task", no_wrap=True)
        for name in COLUMNS:
            table.add_column(name, justify="right", no_wrap=True)
        for task, count in self._standing.counts.items():
            recent = self._standing.tasks.get(task)
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


def _known(value: float | None, form: str) -> str:
    return "?" if value is None else format(value, form)


def _handlers_of_the_terminal() -> list[logging.StreamHandler[Any]]:
    return [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler) and h.stream is sys.stderr]
