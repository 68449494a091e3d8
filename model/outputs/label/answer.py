"""One class out of a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omninet.model.explain.explanation import Explanation


@dataclass(frozen=True)
class Candidate:
    """A possible answer and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class Label:
    """One of the task's classes, with the likeliest five.

    Attributes:
        explanation: what it attended to, if that was asked for.
    """

    label: str
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()
    explanation: Explanation | None = None
