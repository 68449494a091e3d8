"""Answers of the text output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omninet.model.decoding.hypotheses import Hypothesis

if TYPE_CHECKING:
    from omninet.model.explain.explanation import Explanation
    from omninet.model.modalities.language.tokenizer import Tokenizer


@dataclass(frozen=True)
class Piece:
    """A subword of a decoded text and its probability."""

    text: str
    probability: float


@dataclass(frozen=True)
class Text:
    """A decoded text.

    Attributes:
        caption: the text.
        log_probability: natural log-probability, summed over the tokens and the end token.
        tokens: subwords; their texts join to the caption.
    """

    caption: str
    log_probability: float
    tokens: tuple[Piece, ...]


@dataclass(frozen=True)
class Caption(Text):
    """The best decoded text.

    Attributes:
        notes: remarks for the user, such as a truncated text.
        alternatives: the next best texts, ``n_best`` - 1 at most.
        explanation: attention of each token, if the request asked for it.
        confidence: calibrated probability that the answer is right; None if the checkpoint is not calibrated for it.
    """

    notes: tuple[str, ...] = ()
    alternatives: tuple[Text, ...] = ()
    explanation: Explanation | None = None
    confidence: float | None = None


def written(found: Hypothesis, tokenizer: Tokenizer) -> Text:
    """Convert the subwords of a hypothesis to text, without the end token."""
    ids = [token for token in found.tokens if token != tokenizer.end]
    texts = tokenizer.pieces(ids)
    pieces = tuple(Piece(t, math.exp(v)) for t, v in zip(texts, found.log_probabilities, strict=False))
    return Text("".join(texts), found.total, pieces)
