"""When a Hogwild worker has to wait: in lockstep, when it is too far ahead, and while its task leaves out a step."""

from __future__ import annotations

import time

from torch import Tensor

from omninet.training.runtime.shared import Slots
from omninet.training.runtime.stop_and_go import leaves_out


class Pacing:
    """Tells one worker which steps to leave out, and whether to wait before the next.

    A worker of a stopped task takes one of four steps. Each of the others lasts as long as the last one that it took,
    so that the task is trained at a quarter of the worker's speed, and not only to a quarter of its steps.

    Args:
        number: index of the worker, its row in the slots.
        lockstep: wait after every step until all workers have done it.
        pace: maximum lead over the slowest worker, as a share of its steps; None sets no limit.
    """

    def __init__(self, slots: Slots, number: int, lockstep: bool, pace: float | None) -> None:
        self.slots, self.number, self.lockstep, self.pace = slots, number, lockstep, pace
        self._step_s = 0.0
        self._left_out_until = 0.0

    @property
    def is_stopped(self) -> bool:
        """Return whether the worker's task is stopped."""
        return bool(self.slots.stopped[self.number])

    @property
    def leaves_out(self) -> bool:
        """Return whether the next step is left out."""
        return leaves_out(self.is_stopped, int(self.slots.done[self.number]))

    def took(self, seconds: float) -> None:
        """Count a step that was taken, with its duration."""
        self._step_s = seconds
        self.slots.steps[self.number] += 1

    def leave_out(self) -> None:
        """Count a step that is left out; ``must_wait`` is true while it lasts."""
        self._left_out_until = time.monotonic() + self._step_s
        self.slots.left_out[self.number] += 1

    def must_wait(self) -> bool:
        """Return whether the next step may not begin yet."""
        return self._is_ahead() or self._is_leaving_out()

    def _is_ahead(self) -> bool:
        """Return whether the worker is too far ahead of the slowest one; steps that are left out count as done."""
        others = self.slots.running.bool()
        if not (self.lockstep or self.pace is not None) or not others.any():
            return False
        if self.lockstep:
            return int(self.slots.done[self.number]) > int(self.slots.done[others].min())
        return float(self._lead(others).max()) > (self.pace or 0.0)

    def _is_leaving_out(self) -> bool:
        """Return whether a step that was left out still lasts.

        It ends early if the task goes again, if another worker waits for this one, or if no running task goes: then
        all would be slowed down alike, and the machine would stand idle for three quarters of the time.
        """
        if self.lockstep or not self.is_stopped or time.monotonic() >= self._left_out_until:
            return False
        others = self.slots.running.bool()
        if not (others & ~self.slots.stopped.bool()).any():
            return False
        return self.pace is None or float(self._lead(others).min()) >= -self.pace

    def _lead(self, others: Tensor) -> Tensor:
        """Return the lead over each of the ``others``, as a share of the steps; negative if this worker is behind."""
        shares = self.slots.done.double() / self.slots.quota
        return shares[self.number] - shares[others]
