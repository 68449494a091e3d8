"""Time-out for receiving request bodies."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omninet.app.errors import ServiceError, client_closed
from omninet.app.http.middleware.base import HttpMiddleware


class UploadTime(HttpMiddleware):
    """Rejects a request whose body arrives too slowly or is cut off.

    Args:
        app: next ASGI application.
        seconds: time-out for the complete body.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        super().__init__(app)
        self.seconds = seconds

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a time-out on receiving its body.

        Raises:
            ServiceError: ``upload_too_slow``, or ``client_closed_request``: the client disconnected while sending.
        """
        end = asyncio.get_running_loop().time() + self.seconds
        complete = False

        async def receive_in_time() -> Message:
            nonlocal complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise _too_slow(self.seconds) from None
            if message["type"] == "http.disconnect":
                raise client_closed()
            complete = not message.get("more_body", False)
            return message

        await self.app(scope, receive_in_time, send)


def _too_slow(seconds: float) -> ServiceError:
    return ServiceError(
        408,
        "upload_too_slow",
        f"the request body has not arrived within {seconds:g} seconds; send less, or faster",
        {"Connection": "close"},  # the rest of the body is unread
        seconds=seconds,
    )
