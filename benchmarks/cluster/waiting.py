"""A queue on paper: how long requests wait for replicas that get quicker, up to a point, the more they have at once.

A replica with k requests completes ``rates[k - 1]`` of them a second, each as quickly as any other. It takes no more
than it has rates for; what comes then waits in the order of its coming, and where too many wait, is refused.
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
    """One that works on several requests at once.

    Attributes:
        rates: requests a second with 1, 2, ... at once.
        done: work that each of the requests it has had from the start on would have got, a request being 1.
        since: when that was so, seconds.
        ends: what ``done`` is to be when a request ends, and when it came.
    """

    rates: Sequence[float]
    done: float = 0.0
    since: float = 0.0
    ends: list[tuple[float, float]] = field(default_factory=list)

    @property
    def next(self) -> float:
        """When its next request ends."""
        if not self.ends:
            return math.inf
        return self.since + (self.ends[0][0] - self.done) / self._pace

    def go_on(self, now: float) -> None:
        """Work until then."""
        if self.ends:
            self.done += (now - self.since) * self._pace
        self.since = now

    def take(self, now: float, came: float, work: float) -> None:
        """Begin with a request."""
        self.go_on(now)
        heapq.heappush(self.ends, (self.done + work, came))

    def finish(self, now: float) -> float:
        """End the next request; when it had come."""
        self.go_on(now)
        return heapq.heappop(self.ends)[1]

    @property
    def _pace(self) -> float:
        return self.rates[len(self.ends) - 1] / len(self.ends)


@dataclass(frozen=True)
class Waited:
    """What became of the requests.

    Attributes:
        seconds: of each that was answered, from its coming to its end.
        refused: how many were not.
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
) -> Waited:
    """Requests that come at random, independently of one another (Poisson), and go to the emptier of two replicas.

    Args:
        rates: of a replica, requests a second with 1, 2, ... at once.
        arrivals: requests a second.
        queue: requests that may wait.
        overhead: seconds that a request takes beside the replica's work.
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
    return Waited(found, refused)


def interpolated(measured: Mapping[int, float], most: int) -> list[float]:
    """Rates with 1 to ``most`` requests at once, from some of them; beyond the largest they stay."""
    known = sorted(measured)
    return [_between(measured, known, count) for count in range(1, most + 1)]


def _between(measured: Mapping[int, float], known: Sequence[int], count: int) -> float:
    below = max((k for k in known if k <= count), default=known[0])
    above = min((k for k in known if k >= count), default=known[-1])
    if below == above:
        return measured[below]
    share = (count - below) / (above - below)
    return measured[below] + share * (measured[above] - measured[below])
