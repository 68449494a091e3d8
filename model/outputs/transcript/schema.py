"""JSON schema of transcripts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from omninet.model.outputs.text.schema import Token


class TranscriptText(BaseModel):
    """A text; ``log_probability`` is the natural logarithm, summed over the characters and the end."""

    model_config = ConfigDict(from_attributes=True)
    text: str
    log_probability: float
    tokens: list[Token]


class TranscriptBody(TranscriptText):
    """The likeliest text and, with ``n_best``, the next likeliest ones as alternatives."""

    alternatives: list[TranscriptText]
