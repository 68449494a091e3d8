"""Answers of the label output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omninet.model.explain.explanation import Explanation


@dataclass(frozen=True)
class Candidate:
    """A class and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class Label:
    """The likeliest class.

    Attributes:
        label: name of the class.
        candidates: the five likeliest classes, best first.
        notes: remarks about the inputs for the user.
        explanation: attention of the network, if the request asked for it.
        confidence: calibrated probability that the answer is right; None if the checkpoint is not calibrated for it.
    """

    label: str
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()
    explanation: Explanation | None = None
    confidence: float | None = None
