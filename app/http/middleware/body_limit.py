"""How large a request may be."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omninet.app.errors import ServiceError
from omninet.app.http.middleware.base import HttpMiddleware

DRAIN_SECONDS = 10


class BodyLimit(HttpMiddleware):
    """Refuses a body that is too large: at once where its length is declared, else when it has grown so far.

    Args:
        upload: most bytes of a multipart body.
        other: most bytes of any other body.
    """

    def __init__(self, app: ASGIApp, upload: int, other: int) -> None:
        super().__init__(app)
        self.upload = upload
        self.other = other

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As of every middleware."""
        headers = Headers(scope=scope)
        limit = self.upload if headers.get("content-type", "").startswith("multipart/") else self.other
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            if "expect" not in headers:  # else the client waits for our word before it sends anything
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


async def _drain(receive: Receive, at_most: int) -> None:
    """Throw away what is still coming: a client that is cut off while it sends does not read the answer."""
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
