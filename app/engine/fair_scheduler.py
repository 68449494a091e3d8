"""Fair sharing of the backbone between kinds of work."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

N = TypeVar("N", bound=str)


class FairScheduler(Generic[N]):
    """Shares time between queues in proportion to their weights.

    Stride scheduling (Waldspurger, Weihl 1995), charged by measured time.

    Args:
        weights: name of each queue -> weight.
    """

    def __init__(self, weights: Mapping[N, float]) -> None:
        self._weights = weights
        self._spent = dict.fromkeys(weights, 0.0)  # weighted seconds: the pass value of each queue
        self._busy: Collection[N] = ()  # queues with work at the last call of next
        self._virtual_time = 0.0  # pass value of the queue that was served last

    def next(self, busy: Collection[N]) -> N:
        """Return the queue to serve next; idle queues accumulate no credit.

        Args:
            busy: queues with work; not empty.
        """
        for name in busy:
            if name not in self._busy:
                self._spent[name] = max(self._spent[name], self._virtual_time)
        self._busy = tuple(busy)
        chosen = min(self._busy, key=self._spent.__getitem__)
        self._virtual_time = self._spent[chosen]
        return chosen

    def charge(self, name: N, seconds: float) -> None:
        """Charge a queue for the time that serving it took."""
        self._spent[name] += seconds / self._weights[name]
