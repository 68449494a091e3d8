"""What the service and the process that has the model send to one another. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omninet.model.decoding.hypotheses import Hypothesis
from omninet.model.fast.agreement import Agreement
from omninet.model.job import Job
from omninet.model.processor import Processor


@dataclass(frozen=True)
class Checked:
    """The first message from the process: the devices and the checkpoint's configuration can be used."""


@dataclass(frozen=True)
class Loaded:
    """The message after ``Checked``: what the service must know of the model."""

    processor: Processor
    devices: list[str]
    precision: str
    agreement: Agreement | None


@dataclass(frozen=True)
class SubmitJob:
    """A job for the engine; the reply has its number.

    Attributes:
        job: None asks for the metrics.
        watched: whether PartialResults are wanted.
    """

    number: int
    job: Job | None
    watched: bool = False


@dataclass(frozen=True)
class CancelJob:
    """The reply to a job is not awaited any more."""

    number: int


@dataclass(frozen=True)
class Shutdown:
    """Finish the accepted jobs, then end."""


@dataclass(frozen=True)
class JobReply:
    """The result of a ``SubmitJob``, or the error."""

    number: int
    result: Any


@dataclass(frozen=True)
class PartialResult:
    """What is settled of the outputs of a watched job."""

    number: int
    hypothesis: Hypothesis


@dataclass(frozen=True)
class Health:
    """Whether the engine works."""

    is_alive: bool
