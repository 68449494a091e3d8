"""Which steps a Hogwild worker leaves out, and how long it waits."""

from __future__ import annotations

import time

import pytest

from omninet.training.hogwild.pacing import Pacing
from omninet.training.runtime.shared import Slots


class Clock:
    """Stands for the monotonic clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def slots() -> Slots:
    """Three workers with 40 steps each, of which the task of the first is stopped."""
    slots = Slots.of(3)
    slots.quota[:], slots.running[:], slots.stopped[0] = 40, 1, 1
    return slots


def left_out(slots: Slots, pace: float | None = None, lockstep: bool = False) -> Pacing:
    """Return the pacing of the first worker, which has taken a step of 2 seconds and left out the next."""
    pacing = Pacing(slots, 0, lockstep, pace)
    pacing.took(2.0)
    pacing.leave_out()
    return pacing


def test_one_of_four_steps_is_taken(slots: Slots) -> None:
    stopped, going = Pacing(slots, 0, False, None), Pacing(slots, 1, False, None)
    taken = []
    for number in range(12):
        assert not going.leaves_out
        going.took(1.0)
        if stopped.leaves_out:
            stopped.leave_out()
        else:
            taken.append(number)
            stopped.took(1.0)

    assert taken == [0, 4, 8]
    assert (slots.steps.tolist(), slots.left_out.tolist(), slots.done.tolist()) == ([3, 12, 0], [9, 0, 0], [12, 12, 0])


def test_a_step_that_is_left_out_lasts_as_long_as_the_last_one(slots: Slots, clock: Clock) -> None:
    pacing = left_out(slots)

    clock.now = 101.9
    assert pacing.must_wait()
    clock.now = 102.0
    assert not pacing.must_wait()


def test_it_ends_when_the_task_goes_again(slots: Slots, clock: Clock) -> None:
    pacing = left_out(slots)
    assert pacing.must_wait()

    slots.stopped[0] = 0
    assert not pacing.must_wait()


def test_no_worker_waits_if_all_running_tasks_are_stopped(slots: Slots, clock: Clock) -> None:
    pacing = left_out(slots)
    slots.stopped[1] = 1
    assert pacing.must_wait()

    slots.running[2] = 0  # the only one that goes is done
    assert not pacing.must_wait()


def test_it_ends_when_another_worker_waits_for_it(slots: Slots, clock: Clock) -> None:
    pacing, other = left_out(slots, pace=0.11), Pacing(slots, 1, False, 0.11)
    slots.steps[2] = 2

    slots.steps[1] = 6  # a lead of 4 of 40 steps
    assert (pacing.must_wait(), other.must_wait()) == (True, False)
    slots.steps[1] = 7
    assert (pacing.must_wait(), other.must_wait()) == (False, True)


def test_steps_that_are_left_out_count_for_the_pace(slots: Slots) -> None:
    slots.stopped[0] = 0
    slots.steps[:] = 8
    pacing = Pacing(slots, 0, False, 0.11)
    slots.left_out[0] = 4
    assert not pacing.must_wait()

    slots.left_out[0] = 5
    assert pacing.must_wait()
    slots.left_out[1:] = 1
    assert not pacing.must_wait()


def test_in_lockstep_a_step_that_is_left_out_waits_for_the_others_only(slots: Slots, clock: Clock) -> None:
    pacing = left_out(slots, lockstep=True)
    slots.steps[1:] = 1
    assert pacing.must_wait()

    slots.steps[1:] = 2
    assert not pacing.must_wait()


def test_without_limits_there_is_nothing_to_wait_for(slots: Slots) -> None:
    slots.stopped[0] = 0
    slots.steps[0] = 30

    assert not Pacing(slots, 0, False, None).must_wait()
