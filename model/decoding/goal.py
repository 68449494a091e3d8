"""What one row is to decode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model.decoding.rules import NO_RULES, Rules
from model.decoding.sampling import Sampling

Explain = Literal["mean", "layers"]


@dataclass(frozen=True)
class Goal:
    """What one row is to decode.

    Attributes:
        steps: outputs at most.
        end: token that ends the row, or None where ``steps`` is exact.
        beams: hypotheses kept at every step, 1 is greedy; where they are drawn, how many different ones are.
        best: of the finished hypotheses, how many are wanted; no more than ``beams``.
        rules: of what must not come next.
        sampling: how outputs are drawn; None takes the likeliest.
        explain: whether it is wanted what the best one attended to: the mean, or every layer and head.
    """

    task: str
    steps: int
    end: int | None = None
    beams: int = 1
    best: int = 1
    rules: Rules = NO_RULES
    sampling: Sampling | None = None
    explain: Explain | None = None
