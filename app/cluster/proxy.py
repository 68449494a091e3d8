"""What Ray's own HTTP proxies add before the application, on every machine.

Ray takes it from ``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=app.cluster.proxy:middleware`` in its environment.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import Message, Receive, Scope, Send

from app.errors import ServiceError
from app.middleware.base import HttpMiddleware
from app.middleware.request_log import ACCEPTED, HEADER

RAYS_OWN = "/-/"  # paths at which the proxy says how it is
KEPT_BYTES = 2**23  # of a body, for another attempt
ATTEMPTS = 5
PAUSE_S = 0.2
CODES = {404: "not_found", 408: "deadline_exceeded", 429: "overloaded", 500: "internal_error", 503: "overloaded"}


def middleware() -> list[Middleware]:
    """As Ray wants it."""
    return [Middleware(Proxied)]


class Proxied(HttpMiddleware):
    """Asks another replica where one is lost before it answers, and says in the shape of every error what Ray says.

    Ray ends a request whose replica dies without an answer. Nothing is changed by asking, so it is asked again, unless
    its body is too large to be kept.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As of every middleware."""
        if scope["path"].startswith(RAYS_OWN):
            await self.app(scope, receive, send)
            return
        _check_id(scope)
        body = _Body(receive)
        for attempt in range(ATTEMPTS):
            answer = _Answer(send)
            await self.app(scope, body.again(), answer.send)
            if answer.started or body.gone:
                return
            if not body.is_kept:
                break
            await asyncio.sleep(PAUSE_S * 2**attempt)
        lost = ServiceError(503, "replica_lost", "what was to answer was lost; ask again", {"Retry-After": "1"})
        await lost.response()(scope, receive, send)


class _Body:
    """What a client sends, as often as it is wanted.

    Attributes:
        is_kept: whether all that came so far is.
        gone: whether the client has hung up.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: list[Message] = []
        self._bytes = 0
        self._receiving = asyncio.Lock()  # an attempt that has ended may still be waiting
        self.is_kept, self.gone = True, False

    def again(self) -> Receive:
        """The messages from the first one on."""
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

    async def _next(self) -> Message:
        message = await self._receive()
        self.gone = self.gone or message["type"] == "http.disconnect"
        self._bytes += len(message.get("body", b""))
        if self._bytes > KEPT_BYTES:
            self.is_kept = False
            self._kept.clear()
        if self.is_kept:
            self._kept.append(message)
        return message


class _Answer:
    """Passes an answer on; one of Ray's own is put into words of ours.

    Attributes:
        started: whether there is one.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._error: ServiceError | None = None
        self.started = False

    async def send(self, message: Message) -> None:
        """As of an application."""
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers[HEADER] = headers.get(HEADER, "")  # once: Ray has added what the application has said already
            self._error = _rays_error(message["status"], headers)
            if self._error is not None:
                await self._send_error(self._error, headers[HEADER])
        if self._error is None:
            await self._send(message)

    async def _send_error(self, error: ServiceError, request_id: str) -> None:
        response = error.response()
        response.headers[HEADER] = request_id
        await self._send({"type": "http.response.start", "status": error.status_code, "headers": response.raw_headers})
        await self._send({"type": "http.response.body", "body": bytes(response.body)})


def _check_id(scope: Scope) -> None:
    """Forget a request's id that cannot be one: Ray would send it back as it came."""
    headers = MutableHeaders(scope=scope)
    if not ACCEPTED.fullmatch(headers.get(HEADER, "")):
        del headers[HEADER]


def _rays_error(status: int, headers: Headers) -> ServiceError | None:
    """What an answer says, if it is none of the application, whose errors are JSON."""
    if status < HTTPStatus.BAD_REQUEST or headers.get("content-type", "").startswith("application/json"):
        return None
    code = CODES.get(status, "internal_error")
    retry = {"Retry-After": "1"} if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS} else None
    phrase = HTTPStatus(status).phrase.lower()
    return ServiceError(status, code, f"the request did not reach the application: {phrase}", retry)
