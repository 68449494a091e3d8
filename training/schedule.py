"""Learning rate over time (paper, section 4: the Noam schedule)."""

from __future__ import annotations


def noam(step: int, factor: float, warmup: int, cap: float | None = None) -> float:
    """factor * min(1, step / warmup) / sqrt(max(step, warmup)), at most ``cap``; steps count from 1."""
    rate: float = factor * min(1.0, step / warmup) * max(step, warmup) ** -0.5
    return rate if cap is None else min(rate, cap)


def cooldown(progress: float, share: float) -> float:
    """Factor that falls from 1 to 0 over the last ``share`` of a run, linearly; progress is in [0, 1]."""
    return min(1.0, (1.0 - progress) / share) if share > 0 else 1.0
