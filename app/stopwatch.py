"""How long the stages of a request take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Milliseconds by stage; what no stage accounts for was spent waiting."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._spent = {"decode_media": 0.0, "prepare": 0.0}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what runs inside."""
        started = time.perf_counter()
        yield
        self._spent[name] = 1e3 * (time.perf_counter() - started)

    def stages(self, **model: float) -> dict[str, float]:
        """All stages, ``queue`` and ``total`` among them; those of the model are given."""
        spent = {**self._spent, **model}
        total = 1e3 * (time.perf_counter() - self._started)
        spent |= {"queue": max(0.0, total - sum(spent.values())), "total": total}
        return {name: round(value, 2) for name, value in spent.items()}
