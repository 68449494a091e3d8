"""Graceful stop: SIGINT (Ctrl-C) and SIGTERM end a run after its current step."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):  # noqa: N818  # nothing went wrong
    """The run was stopped by a signal after its state was saved."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


class Interrupt:
    """Context manager that records the first SIGINT or SIGTERM; the second one has its usual effect.

    Attributes:
        signal: number of the received signal, 0 if there was none.
    """

    def __init__(self) -> None:
        self.signal = 0

    @property
    def is_set(self) -> bool:
        """Return whether a signal was received."""
        return self.signal != 0

    def __enter__(self) -> Interrupt:
        self._before = {number: signal.signal(number, self._remember) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._restore()

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
