"""Queueing delay of a replica, measured and simulated."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles

from benchmarks.cluster.measures import arriving
from benchmarks.cluster.waiting import QueueResult, interpolated, simulate
from benchmarks.load.posts import Post

LOADS = (0.2, 0.4, 0.6, 0.8, 0.95, 1.2)  # arrival rates relative to a replica's maximum throughput
MOST, QUEUE = 256, 128  # max_ongoing_requests and max_queued_requests of the model's deployment


@dataclass(frozen=True)
class Point:
    """Measured and simulated latency, in milliseconds, and rejections at one arrival rate per second."""

    rate: float
    measured: QueueResult
    paper: QueueResult

    def row(self) -> str:
        """Return a row of the table."""
        cells = [f"{self.rate:.1f}"]
        for part in (50, 99):
            cells += [f"{percentile(each.seconds, part):.0f}" for each in (self.measured, self.paper)]
        cells += [f"{each.refused / (each.refused + len(each.seconds)):.0%}" for each in (self.measured, self.paper)]
        return f"| {' | '.join(cells)} |"


def points(port: int, asked: Sequence[Post], rates: Mapping[int, float], seconds: float) -> list[Point]:
    """Measure and simulate each of the loads for ``seconds``."""
    curve = interpolated(rates, MOST)
    found = []
    for number, share in enumerate(LOADS):
        rate = share * max(rates.values())
        samples = asyncio.run(arriving(port, asked, rate, seconds, seed=number))
        answered = [each.seconds for each in samples if each.status == 200]
        paper = simulate(curve, rate, queue=QUEUE, seconds=seconds, seed=number)
        found.append(Point(rate, QueueResult(answered, len(samples) - len(answered)), paper))
    return found


def percentile(seconds: Sequence[float], part: int) -> float:
    """Return a percentile in milliseconds."""
    return 1e3 * quantiles(seconds, n=100)[part - 1]
