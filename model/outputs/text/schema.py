"""JSON schema of a decoded text."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Token(BaseModel):
    """A subword of a text; the texts of all tokens join to the caption."""

    model_config = ConfigDict(from_attributes=True)
    text: str
    probability: float


class CaptionText(BaseModel):
    """A text; ``log_probability`` is the natural logarithm, summed over the tokens and the end token."""

    model_config = ConfigDict(from_attributes=True)
    caption: str
    log_probability: float
    tokens: list[Token]


class CaptionBody(CaptionText):
    """The best caption and, with ``n_best``, the next best ones as alternatives."""

    alternatives: list[CaptionText]
