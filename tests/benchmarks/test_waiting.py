"""The queue on paper, held against what is known of queues."""

from __future__ import annotations

from statistics import mean

import pytest

from benchmarks.cluster.waiting import interpolated, simulate


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_constant_throughput_is_processor_sharing(load: float) -> None:
    # With equal shares, the mean of M/G/1 is that of M/M/1 whatever the work: work / (1 - load).
    waited = simulate([10.0] * 500, 10.0 * load, seconds=10_000)
    assert mean(waited.seconds) == pytest.approx(0.1 / (1 - load), rel=0.05)
    assert not waited.refused


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_one_at_a_time_is_a_simple_queue(load: float) -> None:
    # The mean of M/D/1 (Pollaczek, Khinchine): work + load * work / (2 * (1 - load)).
    waited = simulate([10.0], 10.0 * load, seconds=10_000)
    assert mean(waited.seconds) == pytest.approx(0.1 * (1 + load / (2 * (1 - load))), rel=0.05)


def test_unlimited_parallelism_has_no_waiting_time() -> None:
    waited = simulate([10.0 * k for k in range(1, 200)], 40.0, seconds=200, overhead=0.02)
    assert min(waited.seconds) == pytest.approx(max(waited.seconds)) == pytest.approx(0.12)


def test_requests_beyond_the_queue_are_rejected() -> None:
    waited = simulate([10.0], 20.0, queue=5, seconds=1_000)
    assert waited.refused / (waited.refused + len(waited.seconds)) == pytest.approx(0.5, abs=0.03)
    assert max(waited.seconds) <= 0.6 + 1e-9


def test_more_replicas_sustain_a_higher_load() -> None:
    one, four = (simulate([10.0], 9.0, replicas=n, seconds=2_000) for n in (1, 4))
    assert mean(four.seconds) < mean(one.seconds) / 2


def test_the_same_seed_is_the_same_queue() -> None:
    assert simulate([5.0, 8.0], 4.0, seconds=50) == simulate([5.0, 8.0], 4.0, seconds=50)


def test_rates_between_those_that_were_measured() -> None:
    assert interpolated({1: 10.0, 4: 40.0}, 6) == [10.0, 20.0, 30.0, 40.0, 40.0, 40.0]
