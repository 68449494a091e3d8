"""Measurement of a server's memory during a test."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from tests.robustness.server import Server

EVERY_SECONDS = 0.1


class Watch:
    """Reads the memory of a server's processes several times a second.

    Attributes:
        before: memory at the start in MB.
        samples: pairs of seconds since the start and memory in MB.
    """

    def __init__(self, server: Server, every: float = EVERY_SECONDS) -> None:
        self.server, self.every = server, every
        self.samples: list[tuple[float, float]] = []
        self.before = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def peak(self) -> float:
        """Peak memory in MB."""
        return max([self.before, *(memory for _, memory in self.samples)])

    def __enter__(self) -> Watch:
        self.before = self.server.usage().memory
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        started = time.monotonic()
        while not self._ended.wait(self.every):
            self.samples.append((time.monotonic() - started, self.server.usage().memory))
