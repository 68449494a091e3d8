"""Records that a training run reports, and the interface of their receivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class StepRecord:
    """One update of the global model.

    Attributes:
        step: number of the step in the run, from 1, counting those that stopped tasks have left out; concurrent
            workers may report out of order.
        loss: mean over the targets; for classes the negative log-likelihood, in nats.
        accuracy: share of correct targets.
        rate: learning rate.
        seconds: training time, summed over all calls.
        waiting: seconds that the step waited for its data.
        staleness: updates by other workers between reading the parameters and applying the gradient.
        skipped: total number of this task's samples that this worker could not read.
        terms: loss terms by name, if there is more than one.
        loads: mixture of experts -> share of the positions that each expert has processed.
    """

    step: int
    task: str
    worker: int
    loss: float
    accuracy: float
    rate: float
    gradient_norm: float
    samples: int
    seconds: float
    waiting: float
    staleness: int
    skipped: int
    terms: Mapping[str, float] = field(default_factory=dict)
    loads: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """An example and the network's prediction.

    Attributes:
        media: picture or video of the example.
    """

    task: str
    media: Path | None
    question: str | None
    truth: str
    prediction: str


@dataclass(frozen=True)
class EvaluationRecord:
    """Metrics on the dev splits.

    Attributes:
        step: number of updates before the evaluation.
        seconds: training time, summed over all calls.
        measures: metrics by name, such as ``caption/BLEU-4``.
        samples: a few predictions.
    """

    step: int
    seconds: float
    measures: Mapping[str, float]
    samples: tuple[Sample, ...]

    def __str__(self) -> str:
        found = ", ".join(f"{name} {value:.4g}" for name, value in self.measures.items())
        return f"evaluation after step {self.step}: {found}"


@dataclass(frozen=True)
class ScheduleRecord:
    """State of a task in a run with stop-and-go, after a validation or a reset, or when the run is resumed.

    Attributes:
        step: number of steps before it.
        seconds: training time, summed over all calls.
        stopped: whether the task leaves out most of its steps.
        score: headline metric on the dev examples; None without a validation.
        best: highest score so far; None if there is none since the last reset.
    """

    step: int
    seconds: float
    task: str
    stopped: bool
    score: float | None
    best: float | None


class Watcher(Protocol):
    """Receiver of a run's reports."""

    def step(self, record: StepRecord) -> None:
        """Handle an update of the global model."""
        ...

    def evaluation(self, record: EvaluationRecord) -> None:
        """Handle an evaluation."""
        ...

    def schedule(self, record: ScheduleRecord) -> None:
        """Handle the state of a task in a run with stop-and-go."""
        ...

    def message(self, text: str) -> None:
        """Handle a message for the user, such as the death of a worker."""
        ...

    def close(self) -> None:
        """Handle the end of the run, or of this call."""
        ...
