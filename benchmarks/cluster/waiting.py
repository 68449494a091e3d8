"""Simulation of a queue for replicas whose throughput grows with concurrency (processor sharing).

A replica with k requests completes ``rates[k - 1]`` requests per second, shared equally. It accepts at most as many
requests as there are rates; further ones wait in first-in, first-out order, or are rejected if the queue is full.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Replica:
    """A replica that processes several requests at once.

    Attributes:
        rates: requests per second with 1, 2, ... requests at once.
        done: work that a request present since the start would have received; a request needs 1.
        since: time of the last update of ``done``, in seconds.
        ends: heap with one entry per request: value of ``done`` at which it ends, and its arrival time.
    """

    rates: Sequence[float]
    done: float = 0.0
    since: float = 0.0
    ends: list[tuple[float, float]] = field(default_factory=list)

    @property
    def next(self) -> float:
        """Return the time at which the next request ends; infinity without requests."""
        if not self.ends:
            return math.inf
        return self.since + (self.ends[0][0] - self.done) / self._pace

    def advance(self, now: float) -> None:
        """Advance the work to a point in time."""
        if self.ends:
            self.done += (now - self.since) * self._pace
        self.since = now

    def take(self, now: float, came: float, work: float) -> None:
        """Start a request."""
        self.advance(now)
        heapq.heappush(self.ends, (self.done + work, came))

    def finish(self, now: float) -> float:
        """End the next request; return its arrival time."""
        self.advance(now)
        return heapq.heappop(self.ends)[1]

    @property
    def _pace(self) -> float:
        return self.rates[len(self.ends) - 1] / len(self.ends)


@dataclass(frozen=True)
class QueueResult:
    """Results of a simulation or a measurement.

    Attributes:
        seconds: response time of each successful request.
        refused: number of rejected requests.
    """

    seconds: list[float]
    refused: int


def simulate(
    rates: Sequence[float],
    arrivals: float,
    *,
    replicas: int = 1,
    queue: int = 10**9,
    seconds: float = 600.0,
    overhead: float = 0.0,
    seed: int = 0,
) -> QueueResult:
    """Simulate Poisson arrivals, with each request sent to the less loaded of two random replicas.

    Args:
        rates: throughput of a replica, in requests per second with 1, 2, ... requests at once.
        arrivals: arrival rate, in requests per second.
        queue: maximum number of waiting requests.
        overhead: seconds added to the response time of each request.
    """
    chance = random.Random(seed)
    workers = [Replica(rates) for _ in range(replicas)]
    waiting: deque[float] = deque()
    found, refused, now, coming = list[float](), 0, 0.0, chance.expovariate(arrivals)
    while now < seconds:
        worker = min(workers, key=lambda each: each.next)
        if worker.next <= coming:
            now = worker.next
            found.append(now - worker.finish(now) + overhead)
            if waiting:
                worker.take(now, waiting.popleft(), 1.0)
            continue
        now = coming
        coming = now + chance.expovariate(arrivals)
        free = [each for each in workers if len(each.ends) < len(rates)]
        if free:
            chosen = min(chance.sample(free, min(2, len(free))), key=lambda each: len(each.ends))
            chosen.take(now, now, 1.0)
        elif len(waiting) < queue:
            waiting.append(now)
        else:
            refused += 1
    return QueueResult(found, refused)


def interpolated(measured: Mapping[int, float], most: int) -> list[float]:
    """Return rates for 1 to ``most`` requests by linear interpolation; constant beyond the largest measured one."""
    known = sorted(measured)
    return [_between(measured, known, count) for count in range(1, most + 1)]


def _between(measured: Mapping[int, float], known: Sequence[int], count: int) -> float:
    below = max((k for k in known if k <= count), default=known[0])
    above = min((k for k in known if k >= count), default=known[-1])
    if below == above:
        return measured[below]
    share = (count - below) / (above - below)
    return measured[below] + share * (measured[above] - measured[below])
