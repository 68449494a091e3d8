"""What a runner reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class StepRecord:
    """One update of the global model.

    Attributes:
        step: number of the update, from 1; several workers may report out of order.
        loss: mean over the targets; of classes negative log-probability, in nats.
        accuracy: share of right targets.
        rate: learning rate.
        seconds: since the run began, over all calls.
        waiting: seconds that the step waited for its data.
        staleness: updates by others between taking the parameters and applying the gradient.
        skipped: samples of this task that this worker could not read so far.
        terms: of the loss by name, where it has more than one.
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


@dataclass(frozen=True)
class Sample:
    """An example and what the network made of it.

    Attributes:
        media: its picture or video.
    """

    task: str
    media: Path | None
    question: str | None
    truth: str
    prediction: str


@dataclass(frozen=True)
class EvaluationRecord:
    """Measures on the dev splits.

    Attributes:
        step: updates done when they were taken.
        seconds: since the run began, over all calls.
        measures: by names such as ``caption/BLEU-4``.
        samples: a few predictions.
    """

    step: int
    seconds: float
    measures: Mapping[str, float]
    samples: tuple[Sample, ...]

    def __str__(self) -> str:
        found = ", ".join(f"{name} {value:.4g}" for name, value in self.measures.items())
        return f"evaluation after step {self.step}: {found}"


class Watcher(Protocol):
    """Somebody who is told of a run."""

    def step(self, record: StepRecord) -> None:
        """An update was made."""
        ...

    def evaluation(self, record: EvaluationRecord) -> None:
        """Measures were taken."""
        ...

    def message(self, text: str) -> None:
        """Something happened that a person should know, such as a worker that died."""
        ...

    def close(self) -> None:
        """The run, or this call of it, is over."""
        ...
