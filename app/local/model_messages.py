"""Messages between the server and the model process. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omninet.model.decoding.hypotheses import Hypothesis
from omninet.model.fast.agreement import Agreement
from omninet.model.job import Job
from omninet.model.processor import Processor


@dataclass(frozen=True)
class Checked:
    """First message of the process: the devices and the checkpoint's configuration can be used."""


@dataclass(frozen=True)
class Loaded:
    """Second message of the process: the model without its network.

    Attributes:
        processor: preprocessing and postprocessing.
        devices: of the replicas.
        precision: numeric precision.
        agreement: comparison with float32; None in float32.
    """

    processor: Processor
    devices: list[str]
    precision: str
    agreement: Agreement | None


@dataclass(frozen=True)
class SubmitJob:
    """A request to the process.

    Attributes:
        number: identifies the request; its JobReply has the same number.
        job: rows to run; None requests the metrics.
        watched: whether to send PartialResult messages before the JobReply.
    """

    number: int
    job: Job | None
    watched: bool = False


@dataclass(frozen=True)
class CancelJob:
    """Cancellation of the SubmitJob with this number."""

    number: int


@dataclass(frozen=True)
class Shutdown:
    """Request to complete the accepted jobs, then end."""


@dataclass(frozen=True)
class JobReply:
    """Result or error of the SubmitJob with this number."""

    number: int
    result: Any


@dataclass(frozen=True)
class PartialResult:
    """Final prefix of the outputs of a watched SubmitJob; sent each time it grows."""

    number: int
    hypothesis: Hypothesis


@dataclass(frozen=True)
class Health:
    """Health of the engine; sent on every change, and regularly as the heartbeat of the process."""

    is_alive: bool
