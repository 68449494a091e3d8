"""Request ids and the access log."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from omninet.app.http.error_responses import code_of
from omninet.app.http.middleware.base import HttpMiddleware
from omninet.app.http.middleware.scope import address_of, endpoint_of, key_of
from omninet.app.telemetry.logs import REQUEST_ID

HEADER = "X-Request-ID"
ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
logger = logging.getLogger(__name__)


class RequestLog(HttpMiddleware):
    """Assigns each request an id and logs one line when it is complete.

    A valid ``X-Request-ID`` of the client is kept. The line contains the route template in place of the path, so it
    never contains what a client sent.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its id, then log it."""
        started = time.perf_counter()
        status, received = 500, 0
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if ACCEPTED.fullmatch(given) else new_id()
        REQUEST_ID.set(request_id)

        async def receive_and_count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        try:
            await self.app(scope, receive_and_count, send_with_id)
        finally:
            _log(scope, status, 1e3 * (time.perf_counter() - started), received)


def new_id() -> str:
    """Return a new random request id (UUID 4, 32 hexadecimal digits)."""
    return uuid.uuid4().hex


def _log(scope: Scope, status: int, milliseconds: float, received: int) -> None:
    fields = {
        "method": scope["method"],
        "route": endpoint_of(scope),
        "status": status,
        "code": code_of(scope),
        "milliseconds": round(milliseconds, 1),
        "bytes_received": received,
        "key": key_of(scope),
        "address": address_of(scope),
    }
    logger.info("request", extra={"fields": fields})
