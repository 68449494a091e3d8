"""Agreement of a reduced precision with float32. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 0.05  # nats; maximum mean absolute difference of log-probabilities


@dataclass(frozen=True)
class Agreement:
    """Comparison of a precision with float32, given the same previous tokens (teacher forcing).

    Attributes:
        outputs: number of compared outputs.
        clear: outputs whose likeliest class in float32 leads by more than ``precision.MARGIN``.
        flipped: clear outputs with another likeliest class in the lower precision.
        difference: mean absolute difference of the log-probabilities of all classes, in nats.
    """

    outputs: int
    clear: int
    flipped: int
    difference: float

    @property
    def holds(self) -> bool:
        """True if no clear output is flipped and the difference is within ``TOLERANCE``."""
        return not self.flipped and self.difference <= TOLERANCE
