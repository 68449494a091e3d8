"""Fields that all answers have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from omninet.model.explain.explanation import Explanation


class Answer(Protocol):
    """An answer: a frozen dataclass defined by its output; fields are JSON values or dataclasses of JSON values."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks about the inputs for the user, such as a truncated file."""
        ...

    @property
    def explanation(self) -> Explanation | None:
        """Attention of the network, if the request asked for it."""
        ...


def confidence_of(answer: Answer) -> float | None:
    """Return the calibrated probability that an answer is right; None without one.

    Not all answer classes of extensions have the field: it was added later than ``notes``.
    """
    found: float | None = getattr(answer, "confidence", None)
    return found


@dataclass(frozen=True, kw_only=True)
class PlainAnswer:
    """Base class for answer dataclasses.

    Attributes:
        notes: remarks about the inputs for the user, such as a truncated file.
        explanation: attention of the network, if the request asked for it.
        confidence: calibrated probability that the answer is right; None if the checkpoint is not calibrated for it.
    """

    notes: tuple[str, ...] = ()
    explanation: Explanation | None = None
    confidence: float | None = None
