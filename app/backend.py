"""What answers behind the endpoints: a model in the care of this server, or several elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np

from omninet.app.telemetry.stopwatch import Stopwatch
from omninet.model.explain.explanation import Explanation
from omninet.model.fast.agreement import Agreement
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs.answer import Answer
from omninet.model.outputs.text.answer import Text

Tell = Callable[[Text], None]


@dataclass(frozen=True)
class Upload:
    """A file as it came.

    Attributes:
        keyword: by which ``Processor.prepare`` takes what is decoded of it.
        peripheral: name of the network's peripheral that it is for.
        form: that it has, of its modality's.
    """

    keyword: str
    peripheral: str
    form: str
    file: BinaryIO


@dataclass(frozen=True)
class Query:
    """What a request asks.

    Attributes:
        task: name of a task of the model.
        inputs: of ``Processor.prepare``, but for what is uploaded.
        until: when nobody waits for the answer any more; seconds of ``time.monotonic``.
    """

    task: str
    inputs: Mapping[str, Any]
    uploads: tuple[Upload, ...]
    until: float


@dataclass(frozen=True)
class Answered:
    """An answer, which model it is of, and milliseconds by stage.

    Attributes:
        frames: that it is about, uint8 (t, 3, size, size), where they are to be shown.
        tokens: outputs that it has.
        batch_rows: most that one of its rows was decoded among.
    """

    answer: Answer
    name: str
    version: str
    timings: dict[str, float]
    tokens: int
    batch_rows: int
    frames: np.ndarray | None = None

    @property
    def explanation(self) -> Explanation | None:
        """What it attended to, if that was asked for."""
        return self.answer.explanation


@dataclass(frozen=True)
class Description:
    """A model, and how it runs.

    Attributes:
        network: what its checkpoint has: peripherals, tasks, vocabularies.
        agreement: how near its precision comes to float32; None where it is float32.
    """

    name: str
    version: str
    network: OmniNetConfig
    devices: tuple[str, ...]
    precision: str
    agreement: Agreement | None


class Backend(Protocol):
    """Answers; started and stopped with the application."""

    async def start(self) -> None:
        """Begin; may return before there is a model."""

    async def stop(self) -> None:
        """Answer what was accepted, then end."""

    async def answer(self, query: Query, times: Stopwatch, tell: Tell | None = None) -> Answered:
        """Answer one request; cancelled, its work is dropped.

        Args:
            tell: is told what is settled of a text, whenever that is more.

        Raises:
            InputError: the input cannot be used.
            ServiceError: ``not_ready``, ``overloaded``, ``shutting_down`` or ``internal_error``.
        """

    async def describe(self) -> Description:
        """The model that answers now; it may be another one a moment later.

        Raises:
            ServiceError: ``not_ready``.
        """

    async def figures(self) -> bytes:
        """Those of the model, as Prometheus reads them.

        Raises:
            ServiceError: they are elsewhere.
        """

    async def reload(self) -> Description:
        """Serve what is in the checkpoint's folder now; returns when nothing is left of what was served before.

        Raises:
            ServiceError: why not, and all is as before.
        """
