"""Statistics of the load test's samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load.client import Sample


@dataclass(frozen=True)
class Span:
    """Measurement interval in seconds since the start of the load; the time before it is warm-up."""

    begin: float
    end: float


@dataclass(frozen=True)
class Latency:
    """Successful requests per second, and latency quantiles in milliseconds; None without requests."""

    rate: float
    p50: float | None
    p90: float | None
    p99: float | None


@dataclass(frozen=True)
class Cell:
    """Results of one load on one variant.

    Attributes:
        endpoints: statistics of each endpoint, and of all together under ``all``.
        errors: number of unsuccessful responses by code.
        wrong: number of answers that differ from the bare model's.
        memory_mb: peak memory of the server.
        server_cores, client_cores: CPU seconds per second of load.
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
        """Return the statistics of all endpoints together."""
        return self.endpoints["all"]


def latencies(samples: Sequence[Sample], span: Span) -> dict[str, Latency]:
    """Compute the statistics of each endpoint and of all together."""
    endpoints = sorted({sample.endpoint for sample in samples})
    answered = [sample for sample in samples if sample.status == 200]
    apart = {name: _latency([s for s in answered if s.endpoint == name], span) for name in endpoints}
    return {**apart, "all": _latency(answered, span)}


def errors(samples: Sequence[Sample]) -> dict[str, int]:
    """Count the error codes."""
    return dict(Counter(sample.code for sample in samples if sample.status != 200))


def _latency(samples: Sequence[Sample], span: Span) -> Latency:
    ended = sum(span.begin <= sample.ended < span.end for sample in samples)
    # Selected by start time: a selection by end time would miss the slowest requests.
    times = sorted(1e3 * s.seconds for s in samples if span.begin <= s.ended - s.seconds < span.end)
    return Latency(ended / (span.end - span.begin), *(_quantile(times, q) for q in (0.5, 0.9, 0.99)))


def _quantile(times: Sequence[float], share: float) -> float | None:
    """Return a quantile by nearest rank, which is always a measured value."""
    return times[math.ceil(share * len(times)) - 1] if times else None
