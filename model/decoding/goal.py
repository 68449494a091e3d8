"""What one row is to decode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from omninet.model.decoding.grammar import Grammar
from omninet.model.decoding.rules import NO_RULES, Rules
from omninet.model.decoding.sampling import Sampling

Explain = Literal["mean", "layers"]
Reads = Literal["classes", "hidden"] | int


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
        grammar: which classes may follow which; None lets all.
        given: sequences of classes whose log-probabilities are wanted, in place of a search.
        reads: what the answer is made of: the log-probabilities of ``classes``, the ``hidden`` state of the decoder's
            first step, or the number of a layer of the temporal encoder, of which 0 is what the peripherals gave.
    """

    task: str
    steps: int
    end: int | None = None
    beams: int = 1
    best: int = 1
    rules: Rules = NO_RULES
    sampling: Sampling | None = None
    explain: Explain | None = None
    grammar: Grammar | None = None
    given: tuple[tuple[int, ...], ...] = ()
    reads: Reads = "classes"

    @property
    def depth(self) -> int | None:
        """Layer of the temporal encoder that is read, where nothing is decoded."""
        return self.reads if isinstance(self.reads, int) else None

    @property
    def width(self) -> int:
        """Hypotheses that are decoded side by side."""
        return len(self.given) or self.beams


def score_goal(task: str, sequences: tuple[tuple[int, ...], ...]) -> Goal:
    """Return the goal of a row whose sequences are given: their log-probabilities are what is wanted.

    Raises:
        ValueError: there is none, or one is empty.
    """
    if not sequences or not all(sequences):
        raise ValueError("sequences to be scored must not be empty")
    return Goal(task, max(map(len, sequences)), best=len(sequences), given=sequences)
