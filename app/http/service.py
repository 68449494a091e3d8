"""What the endpoints share: how long a request may take and be, and whether anybody still waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from omninet.app.answering import told
from omninet.app.backend import Answered, Backend, Query, Tell, Upload
from omninet.app.http.deadline import seconds_of, within
from omninet.app.http.disconnect import until_disconnected
from omninet.app.settings import Settings
from omninet.app.telemetry.metrics import Metrics
from omninet.app.telemetry.stopwatch import Stopwatch
from omninet.model.outputs.text.answer import Text

if TYPE_CHECKING:
    from omninet.app.telemetry.tracing import Traces


class Service:
    """Answers the endpoints' requests by a backend.

    Args:
        metrics: where answers are noted.
        traces: of the requests, if somebody wants them.
    """

    def __init__(self, settings: Settings, backend: Backend, metrics: Metrics, traces: Traces | None = None) -> None:
        self.settings, self.backend, self.metrics, self.traces = settings, backend, metrics, traces

    async def start(self) -> None:
        """Begin to serve; may return before there is a model."""
        await self.backend.start()

    async def stop(self) -> None:
        """Answer what was accepted, then end."""
        await self.backend.stop()
        if self.traces is not None:
            await asyncio.to_thread(self.traces.close)

    async def figures(self) -> bytes:
        """All of them, those of the model included, as Prometheus reads them.

        Raises:
            ServiceError: they are elsewhere.
        """
        return self.metrics.text() + await self.backend.figures()

    async def answer(
        self, request: Request, task: str, inputs: Mapping[str, Any], uploads: tuple[Upload, ...] = ()
    ) -> Answered:
        """Answer one request; its work is dropped if the client goes away.

        Args:
            request: watched until the answer is there.
            task: name of a task of the model.
            inputs: those of ``Processor.prepare``, but for what is uploaded.

        Raises:
            InputError: the input cannot be used.
            ServiceError: ``not_ready``, ``overloaded``, ``shutting_down``, ``deadline_exceeded`` or
                ``internal_error``.
        """
        return await until_disconnected(request, self._in_time(request, task, inputs, uploads))

    def stream(
        self, request: Request, task: str, inputs: Mapping[str, Any], uploads: tuple[Upload, ...] = ()
    ) -> AsyncIterator[Text | Answered]:
        """What is settled of a text, whenever that is more, and last the whole answer; left early, the work is dropped.

        Args:
            inputs, uploads: as those of ``answer``.

        Raises:
            InputError, ServiceError: as ``answer``, when it is iterated over.
        """
        return told(lambda tell: self._in_time(request, task, inputs, uploads, tell))

    async def _in_time(
        self,
        request: Request,
        task: str,
        inputs: Mapping[str, Any],
        uploads: tuple[Upload, ...],
        tell: Tell | None = None,
    ) -> Answered:
        times = Stopwatch(self.traces.request(task) if self.traces else None)
        seconds = seconds_of(request.headers, self.settings.deadline_seconds)
        query = Query(task, inputs, uploads, time.monotonic() + seconds)
        answered = await within(seconds, self.backend.answer(query, times, tell))
        times.note(tokens=answered.tokens, batch_rows=answered.batch_rows)
        self.metrics.answered(request.scope["route"].path, answered.timings)
        return answered


async def get_service(request: Request) -> Service:
    """The service of the application that the request came to."""
    service: Service = request.app.state.service
    return service


ServiceDependency = Annotated[Service, Depends(get_service)]
