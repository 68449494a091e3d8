"""From samples to figures."""

from __future__ import annotations

import pytest

from benchmarks.load.client import Sample
from benchmarks.load.figures import Latency, errors, latencies, within


def test_quantiles_are_times_that_were_measured() -> None:
    samples = [Sample("pos", 1.0, i / 1000, 200) for i in range(1, 101)]
    assert latencies(samples, 4.0)["pos"] == pytest.approx(Latency(25.0, 50.0, 90.0, 99.0))


def test_endpoints_are_told_apart_and_only_answers_count() -> None:
    samples = [Sample("pos", 1.0, 0.01, 200), Sample("caption", 1.0, 0.5, 200), Sample("vqa", 1.0, 0.001, 503)]
    found = latencies(samples, 2.0)
    assert found["pos"] == Latency(0.5, 10.0, 10.0, 10.0)
    assert found["vqa"] == Latency(0.0, None, None, None)
    assert found["all"] == Latency(1.0, 10.0, 500.0, 500.0)


def test_errors_are_counted_by_code() -> None:
    samples = [Sample("pos", 1.0, 0.01, 200), *[Sample("pos", 1.0, 0.01, 503, "overloaded")] * 2]
    assert errors(samples) == {"overloaded": 2}


def test_what_ends_outside_of_the_measured_time_is_left_out() -> None:
    samples = [Sample("pos", ended, 0.01, 200) for ended in (0.9, 1.0, 2.9, 3.0)]
    assert [sample.ended for sample in within(samples, 1.0, 3.0)] == [1.0, 2.9]
