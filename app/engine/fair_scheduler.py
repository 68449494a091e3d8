"""Whose turn it is to use the model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

N = TypeVar("N", bound=str)


class Turns(Generic[N]):
    """Shares time out by weight: of two that always want it, one of twice the weight gets twice the time.

    Stride scheduling (Waldspurger, Weihl 1995), charged by what a turn took.

    Args:
        weights: name -> weight.
    """

    def __init__(self, weights: Mapping[N, float]) -> None:
        self._weights = weights
        self._spent = dict.fromkeys(weights, 0.0)
        self._wanted: Collection[N] = ()
        self._level = 0.0  # of the last one to go on

    def next(self, wanted: Collection[N]) -> N:
        """Who of ``wanted``, which is not empty, is to go on; who was idle has saved nothing up."""
        for name in wanted:
            if name not in self._wanted:
                self._spent[name] = max(self._spent[name], self._level)
        self._wanted = tuple(wanted)
        chosen = min(self._wanted, key=self._spent.__getitem__)
        self._level = self._spent[chosen]
        return chosen

    def charge(self, name: N, seconds: float) -> None:
        """Note how long a turn took."""
        self._spent[name] += seconds / self._weights[name]
