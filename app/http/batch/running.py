"""Execution of the items of a batch."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence

from fastapi import Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from omninet.app.errors import ServiceError, client_closed, deadline_exceeded, internal_error
from omninet.app.http.batch.bodies import body_for, not_in_batch
from omninet.app.http.batch.schemas import BatchItem
from omninet.app.http.batch.subrequests import post
from omninet.app.http.deadline import HEADER, LEAST_SECONDS, timeout_seconds
from omninet.app.http.error_responses import response_of
from omninet.app.http.service import Service
from omninet.model.errors import InputError

logger = logging.getLogger(__name__)


class BatchRun:
    """The items of one request, of which as many run at once as the model takes together.

    Args:
        request: whose items they are.
        service: supplies the limits and the trace.
    """

    def __init__(self, request: Request, service: Service) -> None:
        settings = service.settings
        self._request = request
        self._headers = service.traces.headers() if service.traces else {}
        self._seconds = timeout_seconds(request.headers, settings.deadline_seconds)
        self._until = time.monotonic() + self._seconds
        # With more at once, one batch could fill the queue of uploads, and items would be refused for its own sake.
        self._room = asyncio.Semaphore(min(settings.batch_rows, settings.media_processes + settings.max_waiting_media))
        self._left = False
        self._connections: set[asyncio.Event] = set()

    async def run(self, items: Sequence[BatchItem | ValidationError]) -> list[bytes]:
        """Return the JSON of the result of each item, in their order."""
        return await asyncio.gather(*map(self._result, items))

    def leave(self) -> None:
        """Give up all items that are not done: the client has disconnected."""
        self._left = True
        for gone in self._connections:
            gone.set()

    async def _result(self, item: BatchItem | ValidationError) -> bytes:
        async with self._room:
            try:
                return await self._answer(item)
            except (InputError, ServiceError) as error:
                failure = response_of(error)
            except Exception:
                logger.exception("an item of a batch failed; its result is internal_error")
                failure = response_of(internal_error())
        return _failed(failure.status_code, bytes(failure.body))

    async def _answer(self, item: BatchItem | ValidationError) -> bytes:
        if self._left:
            raise client_closed()
        if isinstance(item, ValidationError):
            raise _invalid(item)
        left = self._until - time.monotonic()
        if left < LEAST_SECONDS:
            raise deadline_exceeded(self._seconds)
        body = await run_in_threadpool(body_for, self._request.app.openapi(), item.task, _fields(item))
        self._connections.add(gone := asyncio.Event())
        try:
            answer = await post(self._request, f"/{item.task}", body, {**self._headers, HEADER: str(left)}, gone)
        finally:
            self._connections.discard(gone)
        if not answer.is_json:
            raise not_in_batch(f"an answer of /{item.task} that is not JSON cannot be part of a batch")
        if answer.status != 200:
            return _failed(answer.status, answer.body)
        return b'{"status":200,"answer":%s}' % answer.body


def _fields(item: BatchItem) -> dict[str, object]:
    """Return the fields of an item's request.

    Raises:
        ServiceError: ``repeated_part``.
    """
    if twice := item.inputs.keys() & item.options.keys():
        name = min(twice)
        raise ServiceError(422, "repeated_part", f"{name!r} is in inputs and in options; give it once", part=name)
    return {**item.inputs, **item.options}


def _failed(status: int, body: bytes) -> bytes:
    """Return the JSON of an item's result from the body of an error response."""
    return json.dumps({"status": status, "error": json.loads(body)["error"]}, separators=(",", ":")).encode()


def _invalid(error: ValidationError) -> ServiceError:
    problem = error.errors()[0]
    field = ".".join(map(str, problem["loc"]))
    message = f"an item must be an object with task, inputs and options; {field or 'the item'}: {problem['msg']}"
    return ServiceError(422, "invalid_value", message, field=field)
