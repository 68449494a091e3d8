"""Outputs of one row, while it decodes and when it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from omninet.model.explain.explanation import Attention


@dataclass(frozen=True)
class Hypothesis:
    """Tokens so far, and the natural logarithm of each one's probability."""

    tokens: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()

    @property
    def total(self) -> float:
        """Logarithm of the probability of all tokens."""
        return sum(self.log_probabilities)

    @property
    def mean(self) -> float:
        """The same for a token: a longer text is not less likely for its length alone."""
        return self.total / len(self.tokens)

    def extended(self, token: int, log_probability: float) -> Hypothesis:
        """One token longer."""
        return Hypothesis((*self.tokens, token), (*self.log_probabilities, log_probability))


@dataclass
class Decoded:
    """What one row has decoded.

    Attributes:
        tokens: class ids, the end token included.
        log_probabilities: natural logarithm, one for each token.
        candidates: the likeliest classes of the first step, best first, with their logarithms.
        others: the next best hypotheses, as many as were wanted; or the other sequences that were to be scored.
        values: what the head of an output gave that does not choose among classes, (values,).
        attention: of the tokens to the memory, where it was wanted.
        encode_ms, decode_ms: what it took, as far as somebody has measured it.
        batch_rows: that were decoded with it, itself among them, when it began.
    """

    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    candidates: list[tuple[int, float]] = field(default_factory=list)
    others: list[Hypothesis] = field(default_factory=list)
    values: np.ndarray | None = None
    attention: Attention | None = None
    encode_ms: float = 0.0
    decode_ms: float = 0.0
    batch_rows: int = 1
