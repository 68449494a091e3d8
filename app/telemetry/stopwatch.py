"""How long the stages of a request take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omninet.app.telemetry.tracing import Trace

WORTH_A_SPAN = 1e-3  # seconds of waiting


class Stopwatch:
    """Milliseconds by stage; what no stage accounts for was spent waiting.

    Args:
        trace: is told of every stage as soon as it ends, however it ends.
    """

    def __init__(self, trace: Trace | None = None) -> None:
        self._started = self._last = time.perf_counter()
        self._spent = {"decode_media": 0.0, "prepare": 0.0}
        self._trace = trace

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what runs inside."""
        started = time.perf_counter()
        try:
            yield
        finally:
            ended = time.perf_counter()
            self._note(name, 1e3 * (ended - started))
            self._tell(name, started, ended)

    def add(self, **milliseconds: float) -> None:
        """Note stages that have just ended elsewhere."""
        ended = time.perf_counter()
        for name, spent in milliseconds.items():
            self._note(name, spent)
            self._tell(name, ended - spent / 1e3, ended)

    def spent(self, name: str) -> float:
        """Milliseconds of a stage."""
        return self._spent[name]

    def stages(self, *, encode: float, decode: float) -> dict[str, float]:
        """All stages, ``queue`` and ``total`` among them; those of the model are given."""
        ended = time.perf_counter()
        encoded = ended - decode / 1e3
        self._tell("encode", encoded - encode / 1e3, encoded)
        self._tell("decode", encoded, ended)
        spent = {**self._spent, "encode": encode, "decode": decode}
        total = 1e3 * (ended - self._started)
        spent |= {"queue": max(0.0, total - sum(spent.values())), "total": total}
        return {name: round(value, 2) for name, value in spent.items()}

    def note(self, **attributes: int) -> None:
        """Say something about the request to its trace."""
        if self._trace is not None:
            self._trace.note(**attributes)

    def _note(self, name: str, spent: float) -> None:
        """Add to what a stage has taken: a request with several files decodes each."""
        self._spent[name] = self._spent.get(name, 0.0) + spent

    def _tell(self, name: str, started: float, ended: float) -> None:
        if self._trace is None:
            return
        if started - self._last > WORTH_A_SPAN:
            self._trace.stage("queue", self._last, started)
        self._trace.stage(name, started, ended)
        self._last = ended
