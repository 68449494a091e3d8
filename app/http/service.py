"""Request handling shared by all endpoints: deadline, cancellation on disconnect, metrics and traces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from omninet.app.answering import with_updates
from omninet.app.backend import Backend, Notify, Prediction, Query, Upload
from omninet.app.http.deadline import timeout_seconds, within
from omninet.app.http.disconnect import until_disconnected
from omninet.app.settings import Settings
from omninet.app.telemetry.metrics import Metrics
from omninet.app.telemetry.stopwatch import Stopwatch
from omninet.model.outputs.text.answer import Text

if TYPE_CHECKING:
    from omninet.app.telemetry.tracing import Traces


class Service:
    """Processes the endpoints' requests with a backend.

    Args:
        settings: of the service.
        backend: runs the model.
        metrics: receives the duration of each request.
        traces: receives a trace of each request; None disables tracing.
    """

    def __init__(self, settings: Settings, backend: Backend, metrics: Metrics, traces: Traces | None = None) -> None:
        self.settings, self.backend, self.metrics, self.traces = settings, backend, metrics, traces

    async def start(self) -> None:
        """Start the backend; may return before a model is loaded."""
        await self.backend.start()

    async def stop(self) -> None:
        """Finish all accepted requests, then stop the backend and flush the traces."""
        await self.backend.stop()
        if self.traces is not None:
            await asyncio.to_thread(self.traces.close)

    async def metrics_text(self) -> bytes:
        """Return the metrics of the service and the model in the Prometheus text format.

        Raises:
            ServiceError: ``metrics_elsewhere``: metrics are exported by Ray.
        """
        return self.metrics.text() + await self.backend.metrics_text()

    async def handle(
        self, request: Request, task: str, inputs: Mapping[str, Any], uploads: tuple[Upload, ...] = ()
    ) -> Prediction:
        """Process one request; cancel it if the client disconnects.

        Args:
            request: HTTP request, whose connection is watched.
            task: name of a task of the model.
            inputs: keyword arguments of ``Processor.prepare`` except for the uploads.
            uploads: files to decode.

        Raises:
            InputError: the input cannot be used.
            ServiceError: ``not_ready``, ``overloaded``, ``shutting_down``, ``deadline_exceeded`` or
                ``internal_error``.
        """
        return await until_disconnected(request, self._in_time(request, task, inputs, uploads))

    async def ask_all(
        self, request: Request, asked: Sequence[tuple[str, Mapping[str, Any]]], uploads: tuple[Upload, ...]
    ) -> tuple[list[Prediction], Mapping[str, Any]]:
        """Process several requests about the same uploads within the deadline of one.

        Args:
            request: HTTP request, whose header may shorten the deadline.
            asked: task and inputs of each.
            uploads: files to decode, once.

        Returns:
            The answers, and keyword -> decoded upload.

        Raises:
            InputError, ServiceError: see ``handle``.
        """
        seconds = timeout_seconds(request.headers, self.settings.deadline_seconds)
        until = time.monotonic() + seconds
        queries = [Query(task, inputs, uploads, until) for task, inputs in asked]
        return await within(seconds, self.backend.predict_all(queries, Stopwatch()))

    def stream(
        self, request: Request, task: str, inputs: Mapping[str, Any], uploads: tuple[Upload, ...] = ()
    ) -> AsyncIterator[Text | Prediction]:
        """Yield the final part of the text each time it has grown, then the complete answer.

        Closing the iterator early cancels the request. See ``handle`` for the arguments.

        Raises:
            InputError, ServiceError: see ``handle``; raised during iteration.
        """
        return with_updates(lambda notify: self._in_time(request, task, inputs, uploads, notify))

    async def _in_time(
        self,
        request: Request,
        task: str,
        inputs: Mapping[str, Any],
        uploads: tuple[Upload, ...],
        notify: Notify | None = None,
    ) -> Prediction:
        times = Stopwatch(self.traces.request(task) if self.traces else None)
        seconds = timeout_seconds(request.headers, self.settings.deadline_seconds)
        query = Query(task, inputs, uploads, time.monotonic() + seconds)
        answered = await within(seconds, self.backend.predict(query, times, notify))
        times.note(tokens=answered.tokens, batch_rows=answered.batch_rows)
        self.metrics.record_completed(request.scope["route"].path, answered.timings)
        return answered


async def get_service(request: Request) -> Service:
    """Return the service of the application that handles ``request``; a FastAPI dependency."""
    service: Service = request.app.state.service
    return service


ServiceDependency = Annotated[Service, Depends(get_service)]
