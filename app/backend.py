"""Interface between the HTTP endpoints and the model, which runs on this server or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

import numpy as np

from omninet.app.telemetry.stopwatch import Stopwatch
from omninet.model.documents import Documents
from omninet.model.errors import InputError
from omninet.model.explain.explanation import Explanation
from omninet.model.fast.agreement import Agreement
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs.answer import Answer
from omninet.model.outputs.text.answer import Text

Notify = Callable[[Text], None]


@dataclass(frozen=True)
class Upload:
    """An uploaded file, not decoded yet.

    Attributes:
        keyword: keyword argument of ``Processor.prepare`` for the decoded file.
        peripheral: name of the network's peripheral that encodes it.
        form: form of the file among those of the peripheral's modality.
        file: contents.
    """

    keyword: str
    peripheral: str
    form: str
    file: BinaryIO

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Add the keyword to the detail of an InputError of this file, as ``input``."""
        try:
            yield
        except InputError as error:
            raise InputError(error.code, error.message, **{**error.detail, "input": self.keyword}) from error


@dataclass(frozen=True)
class Query:
    """A request to the model.

    Attributes:
        task: name of a task of the model.
        inputs: keyword arguments of ``Processor.prepare`` except for the uploads.
        uploads: files to decode.
        until: deadline in seconds of ``time.monotonic``.
    """

    task: str
    inputs: Mapping[str, Any]
    uploads: tuple[Upload, ...]
    until: float


@dataclass(frozen=True)
class Prediction:
    """An answer with its model and timings.

    Attributes:
        answer: result of the task.
        name, version: of the model.
        timings: milliseconds by stage.
        tokens: number of outputs.
        batch_rows: size of the largest running batch that one of its rows joined.
        frames: input frames, uint8 (t, 3, size, size), if an explanation was requested.
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
        """Attention weights, if they were requested."""
        return self.answer.explanation


@dataclass(frozen=True)
class Description:
    """A loaded model.

    Attributes:
        name, version: of the model.
        network: configuration of the network: peripherals, tasks, vocabularies.
        devices: of the replicas, such as ``cuda:0``.
        precision: numeric precision.
        agreement: comparison with float32; None in float32.
        documents: model card and licence.
        thresholds: task -> confidence below which answers are wrong at least as often as right; calibrated tasks only.
        digest: SHA-256 of the weights, hexadecimal.
    """

    name: str
    version: str
    network: OmniNetConfig
    devices: tuple[str, ...]
    precision: str
    agreement: Agreement | None
    documents: Documents = Documents()  # noqa: RUF009 - frozen
    thresholds: Mapping[str, float] = field(default_factory=dict)
    digest: str = ""


class Backend(Protocol):
    """Runs requests on a model; started and stopped with the application."""

    async def start(self) -> None:
        """Start; may return before a model is loaded."""

    async def stop(self) -> None:
        """Complete the accepted requests, then stop."""

    async def predict(self, query: Query, times: Stopwatch, notify: Notify | None = None) -> Prediction:
        """Process one request; if cancelled, its rows are withdrawn.

        Args:
            query: the request.
            times: measures the stages.
            notify: called with the final part of the text each time it has grown.

        Raises:
            InputError: the input cannot be used.
            ServiceError: ``not_ready``, ``overloaded``, ``shutting_down`` or ``internal_error``.
        """

    async def predict_all(
        self, queries: Sequence[Query], times: Stopwatch
    ) -> tuple[list[Prediction], Mapping[str, Any]]:
        """Process several requests about the same uploads, which are decoded once.

        Args:
            queries: at least one; all have the same uploads.
            times: measures the stages of the first.

        Returns:
            The answers, and keyword -> decoded upload.

        Raises:
            InputError, ServiceError: see ``predict``; of the first request that fails.
        """

    async def describe(self) -> Description:
        """Return the description of the current model, which a reload may replace at any time.

        Raises:
            ServiceError: ``not_ready``.
        """

    async def metrics_text(self) -> bytes:
        """Return the metrics of the model in the Prometheus text format.

        Raises:
            ServiceError: ``metrics_elsewhere``: metrics are exported by Ray.
        """

    async def reload(self) -> Description:
        """Load the checkpoint again and switch to it; return when the old model has been unloaded.

        Raises:
            ServiceError: ``not_ready``, ``reload_running``, ``reload_failed`` or ``reload_elsewhere``; the old model
                stays.
        """
