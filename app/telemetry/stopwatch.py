"""Timing of the stages of a request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omninet.app.telemetry.tracing import Trace

MIN_QUEUE_SPAN_S = 1e-3  # shorter waits get no span of their own


class Stopwatch:
    """Measures the stages of a request in milliseconds; time outside all stages counts as ``queue``.

    Args:
        trace: receives a span for each stage when it ends, even by an exception; None disables tracing.
    """

    def __init__(self, trace: Trace | None = None) -> None:
        self._started = self._last = time.perf_counter()
        self._spent = {"decode_media": 0.0, "prepare": 0.0}
        self._trace = trace

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block inside ``with`` as a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            ended = time.perf_counter()
            self._note(name, 1e3 * (ended - started))
            self._trace_stage(name, started, ended)

    def add(self, **milliseconds: float) -> None:
        """Add the durations of stages that were measured elsewhere and have just ended."""
        ended = time.perf_counter()
        for name, spent in milliseconds.items():
            self._note(name, spent)
            self._trace_stage(name, ended - spent / 1e3, ended)

    def spent(self, name: str) -> float:
        """Return the milliseconds spent in a stage so far."""
        return self._spent[name]

    def stages(self, *, encode: float, decode: float) -> dict[str, float]:
        """End the request and return milliseconds by stage, including ``queue`` and ``total``.

        Args:
            encode, decode: milliseconds measured by the engine.
        """
        ended = time.perf_counter()
        encoded = ended - decode / 1e3
        self._trace_stage("encode", encoded - encode / 1e3, encoded)
        self._trace_stage("decode", encoded, ended)
        spent = {**self._spent, "encode": encode, "decode": decode}
        total = 1e3 * (ended - self._started)
        spent |= {"queue": max(0.0, total - sum(spent.values())), "total": total}
        return {name: round(value, 2) for name, value in spent.items()}

    def note(self, **attributes: int) -> None:
        """Add attributes to the trace of the request."""
        if self._trace is not None:
            self._trace.note(**attributes)

    def _note(self, name: str, spent: float) -> None:
        """Add to the time of a stage, which may run several times, such as the decoding of several files."""
        self._spent[name] = self._spent.get(name, 0.0) + spent

    def _trace_stage(self, name: str, started: float, ended: float) -> None:
        if self._trace is None:
            return
        if started - self._last > MIN_QUEUE_SPAN_S:
            self._trace.stage("queue", self._last, started)
        self._trace.stage(name, started, ended)
        self._last = ended
