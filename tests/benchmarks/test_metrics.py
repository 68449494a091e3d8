"""From samples to figures."""

from __future__ import annotations

import pytest

from benchmarks.load.client import Sample
from benchmarks.load.metrics import Latency, Span, errors, latencies


def test_quantiles_are_times_that_were_measured() -> None:
    samples = [Sample("pos", 1.0, i / 1000, 200) for i in range(1, 101)]
    assert latencies(samples, Span(0, 4))["pos"] == pytest.approx(Latency(25.0, 50.0, 90.0, 99.0))


def test_latencies_are_per_endpoint_and_of_successful_requests() -> None:
    samples = [Sample("pos", 1.0, 0.01, 200), Sample("caption", 1.0, 0.5, 200), Sample("vqa", 1.0, 0.001, 503)]
    found = latencies(samples, Span(0, 2))
    assert found["pos"] == Latency(0.5, 10.0, 10.0, 10.0)
    assert found["vqa"] == Latency(0.0, None, None, None)
    assert found["all"] == Latency(1.0, 10.0, 500.0, 500.0)


def test_errors_are_counted_by_code() -> None:
    samples = [Sample("pos", 1.0, 0.01, 200), *[Sample("pos", 1.0, 0.01, 503, "overloaded")] * 2]
    assert errors(samples) == {"overloaded": 2}


@pytest.mark.parametrize(
    ("began", "ended", "counts", "is_timed"),
    [(0.5, 0.75, 0, False), (0.5, 1.5, 1, False), (1.0, 2.5, 1, True), (2.5, 7.0, 0, True), (3.0, 3.5, 0, False)],
)
def test_rates_count_by_end_and_latencies_by_start(began: float, ended: float, counts: int, is_timed: bool) -> None:
    found = latencies([Sample("pos", ended, ended - began, 200)], Span(1.0, 3.0))["pos"]
    assert found.rate == counts / 2
    assert (found.p50 is not None) == is_timed
