"""Requests that the service sends to itself, without a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from omninet.app.http.batch.bodies import JSON, Body
from omninet.app.http.middleware.request_log import HEADER
from omninet.app.telemetry.logs import REQUEST_ID

PIECE = 2**20  # bytes of a body that are parsed before other requests have their turn
# Of the body of the original request, or of its connection.
REPLACED = {b"content-type", b"content-length", b"transfer-encoding", b"expect", b"connection"}
COPIED = ("type", "asgi", "http_version", "scheme", "client", "server", "root_path", "app")


@dataclass
class SubResponse:
    """A response.

    Attributes:
        status: HTTP status.
        is_json: whether the body is JSON; it may be incomplete if not.
        body: of the response.
    """

    status: int = 500
    is_json: bool = False
    body: bytes = b""


async def post(request: Request, path: str, body: Body, headers: Mapping[str, str], gone: asyncio.Event) -> SubResponse:
    """Send a request to the application, through all of its middleware, and return the response.

    Keys, rates, limits, logs and metrics thus apply as to a request of its own.

    Args:
        request: original request, whose client, key and other headers are kept.
        path: of the endpoint, below the prefix of the service.
        body: of the new request.
        headers: replace those of the original request.
        gone: set when the client disconnects; set here to end a response that is not JSON.
    """
    answer = SubResponse()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.is_json = Headers(raw=message["headers"]).get("content-type", "").partition(";")[0] == JSON
            if not answer.is_json:
                gone.set()
        elif answer.is_json:
            answer.body += message.get("body", b"")

    declared = {"content-type": body.content_type, "content-length": str(len(body.data))}
    scope = _scope(request, path, {**headers, **declared})
    await request.app(scope, _receive(body.data, gone), send)
    return answer


def _scope(request: Request, path: str, headers: Mapping[str, str]) -> Scope:
    """Return the ASGI scope of the new request, which shares the id of the original one."""
    replaced = {name.lower().encode(): value.encode() for name, value in {**headers, HEADER: REQUEST_ID.get()}.items()}
    kept = [pair for pair in request.scope["headers"] if pair[0] not in REPLACED | replaced.keys()]
    full = request.scope.get("root_path", "") + path
    return {name: request.scope[name] for name in COPIED if name in request.scope} | {
        "method": "POST",
        "path": full,
        "raw_path": full.encode(),
        "query_string": b"",
        "headers": [*kept, *replaced.items()],
        "state": {},
    }


def _receive(data: bytes, gone: asyncio.Event) -> Receive:
    """Return the ASGI callable that supplies a body, and then tells when the client has disconnected."""
    messages = _messages(data)

    async def receive() -> Message:
        await asyncio.sleep(0)
        for message in messages:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    return receive


def _messages(data: bytes) -> Iterator[dict[str, Any]]:
    for start in range(0, max(1, len(data)), PIECE):
        piece = data[start : start + PIECE]
        yield {"type": "http.request", "body": piece, "more_body": start + PIECE < len(data)}
