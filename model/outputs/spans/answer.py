"""Answers of the spans output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omninet.model.outputs.tags.answer import TaggedWord

if TYPE_CHECKING:
    from omninet.model.explain.explanation import Explanation


@dataclass(frozen=True)
class Entity:
    """A name in a text.

    Attributes:
        text: its words; without their offsets they are joined by spaces.
        start, end: character offsets in the text; None if the request gave split words.
        type: kind of the entity, such as ``person``.
        probability: product of the probabilities of its tags.
    """

    text: str
    start: int | None
    end: int | None
    type: str
    probability: float


@dataclass(frozen=True)
class NamedSentence:
    """The words of a sentence with their BIO tags, and its entities."""

    tokens: tuple[TaggedWord, ...]
    entities: tuple[Entity, ...]


@dataclass(frozen=True)
class Entities:
    """The entities of every sentence."""

    sentences: tuple[NamedSentence, ...]
    notes: tuple[str, ...] = ()
    explanation: Explanation | None = None
    confidence: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the texts of all entities, each once, in order."""
        return tuple(dict.fromkeys(entity.text for sentence in self.sentences for entity in sentence.entities))
