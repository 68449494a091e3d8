"""How long requests wait for a replica, measured and on paper."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles

from benchmarks.cluster.measures import arriving
from benchmarks.cluster.waiting import Waited, interpolated, simulate
from benchmarks.load.posts import Post

LOADS = (0.2, 0.4, 0.6, 0.8, 0.95, 1.2)  # of what a replica can bear
MOST, QUEUE = 256, 128  # max_ongoing_requests and max_queued_requests of the model


@dataclass(frozen=True)
class Point:
    """Requests that come at one rate, a second; milliseconds, and the share that is refused."""

    rate: float
    measured: Waited
    paper: Waited

    def row(self) -> str:
        """Of a table."""
        cells = [f"{self.rate:.1f}"]
        for part in (50, 99):
            cells += [f"{percentile(each.seconds, part):.0f}" for each in (self.measured, self.paper)]
        cells += [f"{each.refused / (each.refused + len(each.seconds)):.0%}" for each in (self.measured, self.paper)]
        return f"| {' | '.join(cells)} |"


def points(port: int, asked: Sequence[Post], rates: Mapping[int, float], seconds: float) -> list[Point]:
    """Each of the loads for so many seconds, and the same on paper."""
    curve = interpolated(rates, MOST)
    found = []
    for number, share in enumerate(LOADS):
        rate = share * max(rates.values())
        samples = asyncio.run(arriving(port, asked, rate, seconds, seed=number))
        answered = [each.seconds for each in samples if each.status == 200]
        paper = simulate(curve, rate, queue=QUEUE, seconds=seconds, seed=number)
        found.append(Point(rate, Waited(answered, len(samples) - len(answered)), paper))
    return found


def percentile(seconds: Sequence[float], part: int) -> float:
    """In milliseconds."""
    return 1e3 * quantiles(seconds, n=100)[part - 1]
