"""What the tasks answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.explaining import Explanation


@dataclass(frozen=True)
class Piece:
    """A part of a written text and how likely the network found it."""

    text: str
    probability: float


@dataclass(frozen=True)
class Candidate:
    """A possible answer and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class TaggedWord:
    """A word with its tag.

    Attributes:
        start, end: character offsets into the text; None for words that were given split.
    """

    text: str
    start: int | None
    end: int | None
    tag: str
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


@dataclass(frozen=True)
class Tagging:
    """Every word of every sentence with its tag."""

    sentences: tuple[tuple[TaggedWord, ...], ...]
    notes: tuple[str, ...] = ()


Answer = Caption | Label | Tagging
