"""Decoding a batch whose rows may be of different tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from model.cnp import CNP
from model.memory import Memory

CANDIDATES = 5


@dataclass(frozen=True)
class Goal:
    """What one row is to decode.

    Attributes:
        steps: outputs at most.
        end: token that ends the row, or None where ``steps`` is exact.
    """

    task: str
    steps: int
    end: int | None = None


@dataclass
class Decoded:
    """What one row has decoded.

    Attributes:
        tokens: class ids, the end token included.
        log_probabilities: natural logarithm, one for each token.
        candidates: the likeliest classes of the first step, best first, with their logarithms.
    """

    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    candidates: list[tuple[int, float]] = field(default_factory=list)
    encode_ms: float = 0.0
    decode_ms: float = 0.0

    def is_done(self, goal: Goal) -> bool:
        """Whether the goal is reached."""
        return len(self.tokens) >= goal.steps or (bool(self.tokens) and self.tokens[-1] == goal.end)


def greedy(cnp: CNP, memory: Memory, goals: Sequence[Goal]) -> list[Decoded]:
    """Take the likeliest output at every step; a row leaves the batch when its goal is reached."""
    results = [Decoded() for _ in goals]
    running = list(range(len(goals)))
    state = cnp.start(memory, [goal.task for goal in goals], max(goal.steps for goal in goals))
    while running:
        last = [results[row].tokens[-1] if results[row].tokens else None for row in running]
        for row, scores in zip(running, cnp.step(state, last), strict=True):
            _take_best(results[row], scores)
        kept = [i for i, row in enumerate(running) if not results[row].is_done(goals[row])]
        if kept and len(kept) < len(running):
            state.select(kept)
        running = [running[i] for i in kept]
    return results


def _take_best(result: Decoded, scores: Tensor) -> None:
    """Extend one row by the best of ``scores`` (c)."""
    if not result.tokens:
        values, ids = scores.topk(min(CANDIDATES, len(scores)))
        result.candidates = list(zip(ids.tolist(), values.tolist(), strict=True))
        best, value = result.candidates[0]
    else:
        maximum = scores.max(0)
        best, value = int(maximum.indices), float(maximum.values)
    result.tokens.append(best)
    result.log_probabilities.append(value)
