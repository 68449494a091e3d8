"""JSON schema of tagged sentences."""

from __future__ import annotations

from pydantic import BaseModel


class TaggedToken(BaseModel):
    """A word with its Penn Treebank tag; the offsets are null if the request gave split words."""

    text: str
    start: int | None
    end: int | None
    tag: str
    probability: float


class TaggedSentence(BaseModel):
    """The words of a sentence with their tags."""

    tokens: list[TaggedToken]


class PosBody(BaseModel):
    """The sentences of the text in order; offsets count characters in the string that contains the word."""

    sentences: list[TaggedSentence]
