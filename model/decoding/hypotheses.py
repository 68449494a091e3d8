"""Hypotheses of one row, and the result of its decoding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from omninet.model.explain.explanation import Attention


@dataclass(frozen=True)
class Hypothesis:
    """A sequence of tokens with the natural log-probability of each token."""

    tokens: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()

    @property
    def total(self) -> float:
        """Log-probability of the whole sequence."""
        return sum(self.log_probabilities)

    @property
    def mean(self) -> float:
        """Mean log-probability per token: the length-normalised score that ranks finished hypotheses."""
        return self.total / len(self.tokens)

    def extended(self, token: int, log_probability: float) -> Hypothesis:
        """Return the hypothesis with one more token."""
        return Hypothesis((*self.tokens, token), (*self.log_probabilities, log_probability))


@dataclass
class Decoded:
    """The result of decoding one row.

    Attributes:
        tokens: class ids, the end token included.
        log_probabilities: natural log-probability of each token.
        candidates: the likeliest allowed classes of the first step, best first, as (class, log-probability).
        others: the next best hypotheses (``Goal.best``), or the remaining sequences of ``Goal.given``.
        values: output of the head if the task has no vocabulary, (values,).
        pooled: mean of the spatial cache, (d,), if ``Goal.pooled`` is set.
        attention: attention of the tokens to the memory, if ``Goal.explain`` is set.
        encode_ms, decode_ms: duration of encoding and decoding in milliseconds; 0 if not measured.
        batch_rows: rows in the batch when this row joined, this row included.
    """

    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    candidates: list[tuple[int, float]] = field(default_factory=list)
    others: list[Hypothesis] = field(default_factory=list)
    values: np.ndarray | None = None
    pooled: np.ndarray | None = None
    attention: Attention | None = None
    encode_ms: float = 0.0
    decode_ms: float = 0.0
    batch_rows: int = 1
