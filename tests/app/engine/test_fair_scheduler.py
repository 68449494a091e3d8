"""Tests of the stride scheduler."""

from __future__ import annotations

import pytest

from omninet.app.engine.fair_scheduler import FairScheduler


def shares(scheduler: FairScheduler[str], wanted: list[str], cost: dict[str, float], count: int) -> dict[str, float]:
    """Return the time that each of ``wanted`` gets in ``count`` turns."""
    spent = dict.fromkeys(wanted, 0.0)
    for _ in range(count):
        name = scheduler.next(wanted)
        scheduler.charge(name, cost[name])
        spent[name] += cost[name]
    return spent


@pytest.mark.parametrize("cost", [{"light": 1.0, "heavy": 1.0}, {"light": 0.1, "heavy": 3.0}])
def test_time_is_shared_by_weight(cost: dict[str, float]) -> None:
    spent = shares(FairScheduler({"light": 3.0, "heavy": 1.0}), ["light", "heavy"], cost, 4000)

    assert spent["light"] / spent["heavy"] == pytest.approx(3, rel=0.02)


def test_a_single_busy_queue_is_always_served() -> None:
    assert shares(FairScheduler({"a": 1.0, "b": 5.0}), ["a"], {"a": 1.0}, 3) == {"a": 3.0}


def test_idle_queues_accumulate_no_credit() -> None:
    scheduler = FairScheduler({"a": 1.0, "b": 1.0})
    shares(scheduler, ["a"], {"a": 1.0}, 100)

    spent = shares(scheduler, ["a", "b"], {"a": 1.0, "b": 1.0}, 10)

    assert spent == {"a": 5.0, "b": 5.0}


def test_long_idle_queues_accumulate_no_credit() -> None:
    scheduler = FairScheduler({"a": 1.0, "b": 1.0, "c": 1.0})
    shares(scheduler, ["a"], {"a": 1.0}, 100)
    shares(scheduler, ["b"], {"b": 1.0}, 1)

    spent = shares(scheduler, ["a", "c"], {"a": 1.0, "c": 1.0}, 10)

    assert spent == {"a": 5.0, "c": 5.0}
