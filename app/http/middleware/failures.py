"""Conversion of exceptions to JSON error responses."""

from __future__ import annotations

import logging

from starlette.types import Message, Receive, Scope, Send

from omninet.app.errors import ServiceError, internal_error
from omninet.app.http.error_responses import send_error
from omninet.app.http.middleware.base import HttpMiddleware

logger = logging.getLogger(__name__)


class ErrorResponses(HttpMiddleware):
    """Converts exceptions to JSON error responses: a ServiceError to its own code, all others to ``internal_error``."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; respond with an error if it raises before the response has started."""
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if started:  # the status has been sent: the server logs the exception and closes the connection
                raise
            if not isinstance(error, ServiceError):
                logger.exception("unhandled exception in a request; the client receives internal_error")
                error = internal_error()
            await send_error(error, scope, receive, send)
