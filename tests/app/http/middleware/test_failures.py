"""Tests of the conversion of exceptions to responses."""

from __future__ import annotations

import pytest
from starlette.types import Message, Receive, Scope, Send

from omninet.app.errors import ServiceError
from omninet.app.http.error_responses import code_of
from omninet.app.http.middleware.failures import ErrorResponses

pytestmark = pytest.mark.anyio


async def answers_of(error: Exception, *before: Message) -> tuple[Scope, list[Message]]:
    """Return the messages sent when an application sends ``messages`` and then raises."""
    scope: Scope = {"type": "http", "path": "/"}
    sent: list[Message] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in before:
            await send(message)
        raise error

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await ErrorResponses(app)(scope, receive, send)
    return scope, sent


async def test_service_error_and_other_exception() -> None:
    for error, status, code in (
        (ServiceError(429, "rate_limited", "too many"), 429, "rate_limited"),
        (RuntimeError("secret"), 500, "internal_error"),
    ):
        scope, (start, body) = await answers_of(error)
        assert start["status"] == status
        assert code_of(scope) == code
        assert b"secret" not in body["body"]


async def test_no_second_response_after_the_start() -> None:
    with pytest.raises(RuntimeError, match="too late"):
        await answers_of(RuntimeError("too late"), {"type": "http.response.start", "status": 200, "headers": []})
