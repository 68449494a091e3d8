"""The JSON of tagged sentences."""

from __future__ import annotations

from pydantic import BaseModel


class TaggedToken(BaseModel):
    """A word with its Penn Treebank tag; the offsets are null for words that were given split."""

    text: str
    start: int | None
    end: int | None
    tag: str
    probability: float


class TaggedSentence(BaseModel):
    """A sentence."""

    tokens: list[TaggedToken]


class PosBody(BaseModel):
    """The sentences of the text in their order; offsets count characters of the string a word stands in."""

    sentences: list[TaggedSentence]
