"""How near a network's outputs come to those that it computes in float32. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass

NEAR = 0.05  # nats, the mean difference of log-probabilities


@dataclass(frozen=True)
class Agreement:
    """What a network says beside what it says in float32, both told the same outputs before.

    Attributes:
        outputs: that were compared.
        clear: those of them that float32 is sure of by more than ``precision.CLEAR``.
        flipped: clear ones for which another class is the likeliest.
        difference: of the log-probabilities of all classes, absolute, the mean.
    """

    outputs: int
    clear: int
    flipped: int
    difference: float

    @property
    def holds(self) -> bool:
        """Whether answers are as good as the same."""
        return not self.flipped and self.difference <= NEAR
