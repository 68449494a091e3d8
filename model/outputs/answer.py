"""What every answer has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from omninet.model.explain.explanation import Explanation


class Answer(Protocol):
    """An answer: a frozen dataclass of its output, whose fields are JSON values or dataclasses of such."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user must know of the input."""
        ...

    @property
    def explanation(self) -> Explanation | None:
        """What the network attended to, if that was asked for."""
        ...


@dataclass(frozen=True, kw_only=True)
class PlainAnswer:
    """A base for answers of a few fields.

    Attributes:
        notes: what a user must know of the input.
        explanation: what the network attended to, if that was asked for.
    """

    notes: tuple[str, ...] = ()
    explanation: Explanation | None = None
