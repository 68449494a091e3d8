"""A class for every word of a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omninet.model.explain.explanation import Explanation


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
class Tagging:
    """Every word of every sentence with its tag."""

    sentences: tuple[tuple[TaggedWord, ...], ...]
    notes: tuple[str, ...] = ()
    explanation: Explanation | None = None
