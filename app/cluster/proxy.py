"""Middleware for Ray's HTTP proxies: retries and JSON errors.

Enabled by the environment variable
``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=omninet.app.cluster.proxy:middleware``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import Message, Receive, Scope, Send

from omninet.app.errors import ServiceError, internal_error
from omninet.app.http.error_responses import response_of
from omninet.app.http.middleware.base import HttpMiddleware
from omninet.app.http.middleware.request_log import ACCEPTED, HEADER, new_id

PROXY_PATHS = {"/-/healthz", "/-/routes"}  # answered by the proxy itself
# Headers that control Ray, with "-" for "_"; removed from requests, since clients must not set them.
RAY_CONTROL_HEADERS = {
    "x-request-timeout-seconds",
    "x-request-disconnect-disabled",
    "serve-multiplexed-model-id",
    "x-session-id",
}
MAX_KEPT_BYTES = 2**23  # largest body that is kept for retries
MESSAGE_BYTES = 512  # memory overhead of each message of a body
MAX_ATTEMPTS = 5
PAUSE_S = 0.2
CODES = {404: "not_found", 408: "deadline_exceeded", 429: "overloaded", 500: "internal_error", 503: "overloaded"}
logger = logging.getLogger(__name__)


def middleware() -> list[Middleware]:
    """Return the middleware; called by Ray."""
    return [Middleware(ProxyRetry)]


class ProxyRetry(HttpMiddleware):
    """Repeats requests whose replica was lost before it responded, and converts Ray's errors to JSON errors.

    Ray ends a request without a response if its replica dies. Requests are idempotent, so they are repeated up to
    ``MAX_ATTEMPTS`` times, unless the body is larger than ``MAX_KEPT_BYTES``.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, again if its replica is lost; answer ``replica_lost`` or ``internal_error`` at last."""
        if scope["path"] in PROXY_PATHS:
            await self.app(scope, receive, send)
            return
        request_id, body = _clean_headers(scope), _ReplayableBody(receive)
        answer = _Response(send, request_id, body.stop_keeping)
        try:
            await self._ask(scope, body, answer)
        except Exception:
            if answer.started:
                raise
            logger.exception("unhandled exception in Ray's proxy; the client receives internal_error")
            await answer.send_error(internal_error())

    async def _ask(self, scope: Scope, body: _ReplayableBody, answer: _Response) -> None:
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSE_S * 2**attempt)
            await self.app(scope, body.replay(), answer.send)
            if answer.started or body.gone:
                return
            logger.warning("the replica of request %s was lost", Headers(scope=scope)[HEADER])
            if not body.is_kept:
                break
        await answer.send_error(
            ServiceError(
                503, "replica_lost", "the replica was lost during the request; try again", {"Retry-After": "1"}
            )
        )


class _ReplayableBody:
    """A request body that can be received repeatedly, as long as it is small enough to be kept.

    Attributes:
        is_kept: whether all messages received so far are kept.
        gone: whether the client has disconnected.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: list[Message] = []
        self._bytes = 0
        self._receiving = asyncio.Lock()  # a previous attempt may still be waiting in receive
        self.is_kept, self.gone = True, False

    def replay(self) -> Receive:
        """Return an ASGI ``receive`` that starts at the first message."""
        position = 0

        async def receive() -> Message:
            nonlocal position
            async with self._receiving:
                if position < len(self._kept):
                    message = self._kept[position]
                else:
                    message = await self._next()
            position += 1
            return message

        return receive

    def stop_keeping(self) -> None:
        """Drop the kept messages and keep no others."""
        self.is_kept = False
        self._kept.clear()

    async def _next(self) -> Message:
        message = await self._receive()
        self.gone = self.gone or message["type"] == "http.disconnect"
        self._bytes += len(message.get("body", b"")) + MESSAGE_BYTES
        if self._bytes > MAX_KEPT_BYTES:
            self.stop_keeping()
        if self.is_kept:
            self._kept.append(message)
        return message


class _Response:
    """Sends a response to the client; replaces Ray's own error responses by JSON errors.

    Args:
        send: of the server.
        request_id: of the request, sent as a header.
        begin: called when the response starts.

    Attributes:
        started: whether the response has started.
    """

    def __init__(self, send: Send, request_id: str, begin: Callable[[], None]) -> None:
        self._send, self._request_id, self._begin = send, request_id, begin
        self._refused = False
        self.started = False

    async def send(self, message: Message) -> None:
        """Send an ASGI message of the response."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self._request_id  # replaces the header, which Ray duplicates
            error = _ray_error(message["status"], headers)
            if error is not None:
                await self.send_error(error)
        if not self._refused:
            self._start()
            await self._send(message)

    async def send_error(self, error: ServiceError) -> None:
        """Send a JSON error and ignore all later messages."""
        self._start()
        self._refused = True
        response = response_of(error)
        response.headers[HEADER] = self._request_id
        await self._send({"type": "http.response.start", "status": error.status_code, "headers": response.raw_headers})
        await self._send({"type": "http.response.body", "body": bytes(response.body)})

    def _start(self) -> None:
        if not self.started:
            self.started = True
            self._begin()


def _clean_headers(scope: Scope) -> str:
    """Remove headers that control Ray, set a valid request id and return it."""
    headers = MutableHeaders(scope=scope)
    for name in list(headers):
        if name.replace("_", "-") in RAY_CONTROL_HEADERS:
            del headers[name]
    given = headers.get(HEADER, "")
    headers[HEADER] = given if ACCEPTED.fullmatch(given) else new_id()
    return headers[HEADER]


def _ray_error(status: int, headers: Headers) -> ServiceError | None:
    """Return the error for a response of Ray itself; None for the application's, whose errors are JSON."""
    if status < HTTPStatus.BAD_REQUEST or headers.get("content-type", "").startswith("application/json"):
        return None
    code = CODES.get(status, "internal_error")
    retry = {"Retry-After": "1"} if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS} else None
    phrase = HTTPStatus(status).phrase.lower()
    return ServiceError(status, code, f"the request did not reach the application: {phrase}", retry)
