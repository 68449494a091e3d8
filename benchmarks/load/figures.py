"""From samples to figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load.client import Sample


@dataclass(frozen=True)
class Span:
    """The measured time, seconds since the load began; what comes before it fills the queues."""

    begin: float
    end: float


@dataclass(frozen=True)
class Latency:
    """Of the requests that were answered: how many a second, and milliseconds by quantile; None where there is none."""

    rate: float
    p50: float | None
    p90: float | None
    p99: float | None


@dataclass(frozen=True)
class Cell:
    """One load on one variant.

    Attributes:
        endpoints: figures of each, and of all of them together as ``all``.
        errors: answers other than 200, by code.
        wrong: answers that differ from the bare model's.
        memory_mb: most that the server had.
        server_cores, client_cores: seconds of processors that they took for each second of the load.
    """

    variant: str
    workload: str
    clients: int
    endpoints: dict[str, Latency]
    errors: dict[str, int]
    wrong: int
    memory_mb: float
    server_cores: float
    client_cores: float

    @property
    def all(self) -> Latency:
        """Of all endpoints together."""
        return self.endpoints["all"]


def latencies(samples: Sequence[Sample], span: Span) -> dict[str, Latency]:
    """Of each endpoint that was asked, and of all."""
    endpoints = sorted({sample.endpoint for sample in samples})
    answered = [sample for sample in samples if sample.status == 200]
    apart = {name: _latency([s for s in answered if s.endpoint == name], span) for name in endpoints}
    return {**apart, "all": _latency(answered, span)}


def errors(samples: Sequence[Sample]) -> dict[str, int]:
    """How often each code came."""
    return dict(Counter(sample.code for sample in samples if sample.status != 200))


def _latency(samples: Sequence[Sample], span: Span) -> Latency:
    ended = sum(span.begin <= sample.ended < span.end for sample in samples)
    # By when they began: to take those that ended would leave out the slowest.
    times = sorted(1e3 * s.seconds for s in samples if span.begin <= s.ended - s.seconds < span.end)
    return Latency(ended / (span.end - span.begin), *(_quantile(times, q) for q in (0.5, 0.9, 0.99)))


def _quantile(times: Sequence[float], share: float) -> float | None:
    """By nearest rank, so that it is a time that was measured."""
    return times[math.ceil(share * len(times)) - 1] if times else None
