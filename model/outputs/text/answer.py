"""A text that the network wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omninet.model.explain.explanation import Explanation


@dataclass(frozen=True)
class Piece:
    """A part of a written text and how likely the network found it."""

    text: str
    probability: float


@dataclass(frozen=True)
class Text:
    """A sentence that was written.

    Attributes:
        log_probability: natural logarithm, summed over the tokens and the end.
        tokens: pieces that join to the caption.
    """

    caption: str
    log_probability: float
    tokens: tuple[Piece, ...]


@dataclass(frozen=True)
class Caption(Text):
    """The best one.

    Attributes:
        alternatives: the next best, as many as were asked for.
        explanation: what each token attended to, if that was asked for.
    """

    notes: tuple[str, ...] = ()
    alternatives: tuple[Text, ...] = ()
    explanation: Explanation | None = None
