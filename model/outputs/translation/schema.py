"""JSON schema of translations."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from omninet.model.outputs.text.schema import Token


class TranslationText(BaseModel):
    """A translation; ``log_probability`` is the natural logarithm, summed over the tokens and the end token."""

    model_config = ConfigDict(from_attributes=True)
    translation: str
    log_probability: float
    tokens: list[Token]


class TranslationBody(BaseModel):
    """The best translation and, with ``n_best``, the next best ones; every field is a list if ``text`` is a list."""

    translation: str | list[str]
    log_probability: float | list[float]
    tokens: list[Token] | list[list[Token]]
    alternatives: list[TranslationText] | list[list[TranslationText]]
