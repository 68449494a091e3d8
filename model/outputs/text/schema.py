"""The JSON of a written text."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Token(BaseModel):
    """A piece of a written text; the pieces join to the text."""

    model_config = ConfigDict(from_attributes=True)
    text: str
    probability: float


class CaptionText(BaseModel):
    """``log_probability`` sums over the tokens and the end of the text, natural logarithm."""

    model_config = ConfigDict(from_attributes=True)
    caption: str
    log_probability: float
    tokens: list[Token]


class CaptionBody(CaptionText):
    """The best caption, and with ``n_best`` the next ones."""

    alternatives: list[CaptionText]
