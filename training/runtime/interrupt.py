"""Ctrl-C and SIGTERM as a wish to stop, which a run grants between two steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):  # noqa: N818  # nothing went wrong
    """A signal came; the state is saved."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


class Interrupt:
    """While it is entered, the first signal is remembered; a second one ends the process as it always does.

    Attributes:
        signal: the one that came, 0 if none has.
    """

    def __init__(self) -> None:
        self.signal = 0

    @property
    def is_set(self) -> bool:
        """Whether to stop."""
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
