"""Limit on the size of request bodies."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omninet.app.errors import ServiceError
from omninet.app.http.middleware.base import HttpMiddleware
from omninet.app.http.middleware.scope import path_of

BATCH = "/batch"
DRAIN_SECONDS = 10


class BodyLimit(HttpMiddleware):
    """Rejects a body that is too large: by its Content-Length, or while it is received if that is missing.

    Args:
        app: next ASGI application.
        upload: size limit of a multipart body in bytes.
        batch: size limit of the body of /batch in bytes.
        other: size limit of any other body in bytes.
    """

    def __init__(self, app: ASGIApp, upload: int, batch: int, other: int) -> None:
        super().__init__(app)
        self.upload, self.batch, self.other = upload, batch, other

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a size limit on its body.

        Raises:
            ServiceError: ``body_too_large``.
        """
        headers = Headers(scope=scope)
        limit = self._limit(scope, headers.get("content-type", ""))
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            if "expect" not in headers:  # with Expect: 100-continue the client has not sent any of the body
                await _drain(receive, limit)
            raise _too_large(limit)
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                await _drain(receive, limit)
                raise _too_large(limit)
            return message

        await self.app(scope, receive_within_limit, send)

    def _limit(self, scope: Scope, content_type: str) -> int:
        if path_of(scope) == BATCH:
            return self.batch
        return self.upload if content_type.lower().startswith("multipart/") else self.other


async def _drain(receive: Receive, at_most: int) -> None:
    """Read and discard up to ``at_most`` bytes: a client that is cut off while sending never reads the response."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while at_most > 0 and (message := await receive()).get("more_body"):
                at_most -= len(message["body"])


def _too_large(limit: int) -> ServiceError:
    return ServiceError(
        413,
        "body_too_large",
        f"the request body is too large; at most {limit} bytes are accepted",
        {"Connection": "close"},  # the rest of the body may be unread
        limit=limit,
    )
