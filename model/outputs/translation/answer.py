"""Answers of the translation output."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.outputs.answer import PlainAnswer
from omninet.model.outputs.text.answer import Piece


@dataclass(frozen=True)
class TranslatedText:
    """A translation of one text.

    Attributes:
        translation: the text in the other language.
        log_probability: natural log-probability, summed over the tokens and the end token.
        tokens: subwords; their texts join to the translation.
    """

    translation: str
    log_probability: float
    tokens: tuple[Piece, ...]


@dataclass(frozen=True)
class Translation(PlainAnswer):
    """Translations of one text, or of several, in their order.

    Attributes:
        best: the best translation of each text.
        others: the next best translations of each text, ``n_best`` - 1 at most.
        several: whether the request gave a list.
    """

    best: tuple[TranslatedText, ...]
    others: tuple[tuple[TranslatedText, ...], ...]
    several: bool = False
