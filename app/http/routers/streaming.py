"""Streaming of answers as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from omninet.app.backend import Prediction
from omninet.app.errors import ServiceError
from omninet.app.http.disconnect import until_disconnected
from omninet.app.http.endpoints import Endpoint
from omninet.app.http.error_responses import note_code, response_of
from omninet.app.http.forms import ExplainForm, RequestForm
from omninet.app.http.service import Service
from omninet.model.errors import InputError
from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.text.answer import Text

Step = Text | Prediction

# Proxies may buffer a short response until it is complete; X-Accel-Buffering turns that off in nginx.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EVENT_STREAM_CONTENT = {"text/event-stream": {"schema": {"type": "string"}}}
STREAM_DESCRIPTION = (
    "The answer; with `stream` server-sent events: a `token` for each subword, then the `answer`, or an `error`"
)


async def stream(
    endpoint: Endpoint, form: RequestForm, service: Service, request: Request, inputs: Mapping[str, Any]
) -> StreamingResponse:
    """Return the response to a request as a stream of server-sent events.

    Raises:
        InputError: ``bad_option``: a picture, or an answer of the chosen task, cannot be streamed.
        InputError, ServiceError: see ``Service.handle``. Errors after the first part become an ``error`` event.
    """
    if isinstance(form, ExplainForm) and form.format == "png":
        raise InputError("bad_option", "a picture cannot be streamed; leave out stream or format", option="format")
    task = endpoint.chosen(form)
    if not OUTPUTS[task.output].streams:
        message = f"{endpoint.use.chooses}={endpoint.choice_of(task)} cannot be streamed; leave out stream"
        raise InputError("bad_option", message, option="stream")
    steps = service.stream(request, task.name, inputs, endpoint.uploads(form))
    first = await until_disconnected(request, _next(steps))
    return StreamingResponse(
        _events(endpoint, form, request, first, steps), media_type="text/event-stream", headers=HEADERS
    )


async def _next(steps: AsyncIterator[Step]) -> Step:
    return await anext(steps)


async def _events(
    endpoint: Endpoint, form: RequestForm, request: Request, first: Step, others: AsyncIterator[Step]
) -> AsyncIterator[str]:
    sent, output = 0, OUTPUTS[endpoint.chosen(form).output]
    try:
        async for found in _chained(first, others):
            parts = output.parts(found.answer if isinstance(found, Prediction) else found)
            for part in parts[sent:]:
                yield _event("token", part.model_dump_json())
            sent = len(parts)
            if isinstance(found, Prediction):
                yield _event("answer", await run_in_threadpool(_final_json, endpoint, form, found))
    except (InputError, ServiceError) as error:
        note_code(request.scope, error.code)
        yield _event("error", bytes(response_of(error).body).decode())


def _final_json(endpoint: Endpoint, form: RequestForm, done: Prediction) -> str:
    return endpoint.reply_to(done, form).model_dump_json(exclude_unset=True)


async def _chained(first: Step, others: AsyncIterator[Step]) -> AsyncIterator[Step]:
    yield first
    async for other in others:
        yield other


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
