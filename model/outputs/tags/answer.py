"""Answers of the tags output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omninet.model.explain.explanation import Explanation


@dataclass(frozen=True)
class TaggedWord:
    """A word with its tag.

    Attributes:
        start, end: character offsets in the text; None if the request gave split words.
        probability: probability of the tag.
    """

    text: str
    start: int | None
    end: int | None
    tag: str
    probability: float


@dataclass(frozen=True)
class Tagging:
    """The tagged words of every sentence."""

    sentences: tuple[tuple[TaggedWord, ...], ...]
    notes: tuple[str, ...] = ()
    explanation: Explanation | None = None
    confidence: float | None = None
