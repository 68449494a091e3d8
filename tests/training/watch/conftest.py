"""Steps as a runner reports them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from omninet.training.watch import EvaluationRecord, ScheduleRecord, StepRecord

FIRST = StepRecord(
    step=1,
    task="vqa",
    worker=0,
    loss=2.0,
    accuracy=0.5,
    rate=0.001,
    gradient_norm=3.0,
    samples=8,
    seconds=1.0,
    waiting=0.25,
    staleness=0,
    skipped=0,
)


def a_step(number: int, **changes: Any) -> StepRecord:
    """A step a second, unless said otherwise."""
    return replace(FIRST, **({"step": number, "seconds": float(number)} | changes))


def an_evaluation(step: int, *samples: Any) -> EvaluationRecord:
    """Two measures."""
    return EvaluationRecord(step, float(step), {"caption/BLEU-4": 12.345678, "vqa/accuracy": 50.0}, samples)


def a_schedule(step: int, task: str = "vqa", stopped: bool = True, score: float | None = 41.0) -> ScheduleRecord:
    """The state of a task after a validation."""
    return ScheduleRecord(step, float(step), task, stopped, score, 42.0)
