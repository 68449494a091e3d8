"""What becomes of that which is raised."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ServiceError, internal_error, refuse

logger = logging.getLogger(__name__)


class Failures:
    """Answers in the one shape where the rest has raised: what was meant for the client, or that we have failed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if started:  # too late for another answer: the server logs it and closes the connection
                raise
            if not isinstance(error, ServiceError):
                logger.exception("the request failed")
                error = internal_error()
            await refuse(error, scope, receive, send)
