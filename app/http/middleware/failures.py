"""What becomes of that which is raised."""

from __future__ import annotations

import logging

from starlette.types import Message, Receive, Scope, Send

from omninet.app.errors import ServiceError, internal_error, refuse
from omninet.app.http.middleware.base import HttpMiddleware

logger = logging.getLogger(__name__)


class Failures(HttpMiddleware):
    """Answers in the one shape where the rest has raised: what was meant for the client, or that we have failed."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As of every middleware."""
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
