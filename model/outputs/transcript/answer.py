"""Answers of the transcript output."""

from __future__ import annotations

from dataclasses import dataclass

from omninet.model.outputs.answer import PlainAnswer
from omninet.model.outputs.text.answer import Piece


@dataclass(frozen=True)
class SpokenText:
    """A text that may have been said.

    Attributes:
        text: the text.
        log_probability: natural log-probability, summed over the characters and the end; see TranscriptOutput.
        tokens: characters; their texts join to the text.
    """

    text: str
    log_probability: float
    tokens: tuple[Piece, ...]


@dataclass(frozen=True)
class Transcript(PlainAnswer):
    """What is said in a recording.

    Attributes:
        best: the likeliest text.
        alternatives: the next likeliest texts, ``n_best`` - 1 at most.
    """

    best: SpokenText
    alternatives: tuple[SpokenText, ...] = ()
