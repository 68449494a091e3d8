"""Overhead of a service for a single request, compared with the bare model."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from benchmarks.load.ceiling import BareModel
from benchmarks.load.client import Connection
from benchmarks.load.posts import Post

WARM = 5  # warm-up requests, not counted


@dataclass(frozen=True)
class Alone:
    """Median milliseconds of a single request with the bare model and with a service, and of the difference."""

    variant: str
    endpoint: str
    model: float
    served: float
    added: float

    @property
    def share(self) -> float:
        """Return the overhead relative to the bare model's time."""
        return self.added / self.model


def compare(checkpoint: Path | None, variant: str, port: int, posts: Sequence[Post], seconds: float) -> Alone:
    """Send each request to the bare model and to a service in turn, so that changes in machine speed affect both."""
    bare, pairs = BareModel(checkpoint), list[tuple[float, float]]()
    connection, until = Connection(port), time.monotonic() + seconds

    async def ask() -> None:
        for post in cycle(posts):
            model, started = bare.alone(post), time.perf_counter()
            await connection.ask(post.request())
            pairs.append((model, 1e3 * (time.perf_counter() - started)))
            if len(pairs) > WARM and time.monotonic() > until:
                connection.close()
                return

    asyncio.run(ask())
    models, served = zip(*pairs[WARM:], strict=True)
    added = statistics.median(b - a for a, b in pairs[WARM:])
    return Alone(variant, posts[0].endpoint, statistics.median(models), statistics.median(served), added)
