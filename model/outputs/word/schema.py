"""JSON schema of written words."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from omninet.model.outputs.text.schema import Token


class WordText(BaseModel):
    """A text and its probability."""

    model_config = ConfigDict(from_attributes=True)
    text: str
    probability: float


class WordBody(WordText):
    """The likeliest text with its characters and, with ``n_best``, the next likeliest texts as alternatives."""

    tokens: list[Token]
    alternatives: list[WordText]
