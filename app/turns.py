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

    def next(self, wanted: Collection[N]) -> N:
        """Who of ``wanted``, which is not empty, is to go on; who was idle has saved nothing up."""
        staying = [self._spent[name] for name in wanted if name in self._wanted]
        level = min(staying, default=0.0)
        for name in wanted:
            if name not in self._wanted:
                self._spent[name] = max(self._spent[name], level)
        self._wanted = tuple(wanted)
        return min(self._wanted, key=self._spent.__getitem__)

    def charge(self, name: N, seconds: float) -> None:
        """Note how long a turn took."""
        self._spent[name] += seconds / self._weights[name]
