"""The figures that are shown, and how far a run is."""

from __future__ import annotations

import pytest

from omninet.training.watch.recent import SMOOTHED, Recent, RunProgress, clock
from tests.training.watch.conftest import a_step


def test_means_are_over_the_latest_steps() -> None:
    recent = Recent(4)
    for number in range(1, 8):
        recent.add(a_step(number, loss=float(number), accuracy=number / 10, gradient_norm=10.0 * number, rate=number))

    assert len(recent.records) == 4
    assert recent.loss == pytest.approx((4 + 5 + 6 + 7) / 4)
    assert recent.accuracy == pytest.approx(0.55)
    assert recent.gradient_norm == pytest.approx(55)
    assert recent.rate == 7


def test_speed_is_by_the_time_between_steps() -> None:
    recent = Recent()
    recent.add(a_step(1, seconds=100.0, samples=1000))
    assert (recent.steps_per_second, recent.samples_per_second, recent.waiting) == (None, None, None)

    for seconds, samples in ((100.5, 4), (102.0, 8)):
        recent.add(a_step(2, seconds=seconds, samples=samples, waiting=0.3))

    assert recent.steps_per_second == pytest.approx(2 / 2.0)
    assert recent.samples_per_second == pytest.approx(12 / 2.0)
    assert recent.waiting == pytest.approx(0.6 / 2.0)


def test_waiting_is_a_share_of_all_workers_time() -> None:
    recent = Recent()
    for number in range(1, 6):
        recent.add(a_step(number, worker=number % 2, waiting=1.5))

    assert recent.waiting == pytest.approx(0.75)


def test_clearing_keeps_the_time_and_what_was_skipped() -> None:
    recent = Recent()
    recent.add(a_step(1, worker=0, skipped=2))
    recent.add(a_step(2, worker=1, skipped=3))
    recent.clear()
    recent.add(a_step(4, worker=1, skipped=5, samples=10))

    assert recent.samples_per_second == pytest.approx(10 / 2)
    assert recent.skipped == 2 + 5


def test_staleness_is_the_median() -> None:
    recent = Recent()
    for staleness in (0, 1, 2, 3, 100):
        recent.add(a_step(1, staleness=staleness))

    assert recent.staleness == 2


def test_progress_includes_earlier_steps() -> None:
    standing = RunProgress(1000, {"vqa": 60, "pos": 40})
    assert (standing.step, standing.left) == (100, None)

    for number in (101, 103, 102):
        standing.add(a_step(number, seconds=2.0 * number))

    assert (standing.step, standing.seconds) == (103, 206.0)
    assert standing.counts == {"vqa": 63, "pos": 40}
    assert list(standing.tasks) == ["vqa"]


def test_the_time_left_follows_the_latest_pace() -> None:
    standing = RunProgress(1000, {})
    seconds = 0.0
    for number in range(1, 6 * SMOOTHED + 1):
        seconds += 10.0 if number <= SMOOTHED else 0.5
        standing.add(a_step(number, seconds=seconds, task="pos" if number % 3 else "vqa"))

    assert standing.left == pytest.approx((1000 - 6 * SMOOTHED) * 0.5)


@pytest.mark.parametrize(("seconds", "text"), [(None, "?"), (0.4, "0:00:00"), (59.6, "0:01:00"), (90061, "25:01:01")])
def test_a_clock(seconds: float | None, text: str) -> None:
    assert clock(seconds) == text
