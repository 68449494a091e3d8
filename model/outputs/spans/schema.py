"""JSON schema of entities."""

from __future__ import annotations

from pydantic import BaseModel


class EntityToken(BaseModel):
    """A word with its BIO tag, such as ``B-person``; the offsets are null if the request gave split words."""

    text: str
    start: int | None
    end: int | None
    tag: str
    probability: float


class EntityItem(BaseModel):
    """A named entity; the offsets are null if the request gave split words."""

    text: str
    start: int | None
    end: int | None
    type: str
    probability: float


class EntitySentence(BaseModel):
    """The words of a sentence with their tags, and its entities in order."""

    tokens: list[EntityToken]
    entities: list[EntityItem]


class EntitiesBody(BaseModel):
    """The sentences of the text in order; offsets count characters in the string that contains the word."""

    sentences: list[EntitySentence]
