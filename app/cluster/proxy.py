"""What Ray's own HTTP proxies add before the application, on every machine.

Ray takes it from ``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=omninet.app.cluster.proxy:middleware`` in its environment.
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
from omninet.app.http.middleware.base import HttpMiddleware
from omninet.app.http.middleware.request_log import ACCEPTED, HEADER, new_id

RAYS_OWN = {"/-/healthz", "/-/routes"}  # where the proxy says how it is, and asks no replica
# Headers, "-" for "_", by which a client would tell Ray what is not for clients to say.
NOT_FOR_CLIENTS = {
    "x-request-timeout-seconds",
    "x-request-disconnect-disabled",
    "serve-multiplexed-model-id",
    "x-session-id",
}
KEPT_BYTES = 2**23  # of a body, for another attempt
MESSAGE_BYTES = 512  # that a piece of it takes beside its own
ATTEMPTS = 5
PAUSE_S = 0.2
CODES = {404: "not_found", 408: "deadline_exceeded", 429: "overloaded", 500: "internal_error", 503: "overloaded"}
logger = logging.getLogger(__name__)


def middleware() -> list[Middleware]:
    """As Ray wants it."""
    return [Middleware(Proxied)]


class Proxied(HttpMiddleware):
    """Asks another replica where one is lost before it answers, and says in the shape of every error what Ray says.

    Ray ends a request whose replica dies without an answer. Nothing is changed by asking, so it is asked again some
    times, unless its body is too large to be kept.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As of every middleware."""
        if scope["path"] in RAYS_OWN:
            await self.app(scope, receive, send)
            return
        request_id, body = _clean(scope), _Body(receive)
        answer = _Answer(send, request_id, body.forget)
        try:
            await self._ask(scope, body, answer)
        except Exception:
            if answer.started:
                raise
            logger.exception("Ray's proxy failed")
            await answer.refuse(internal_error())

    async def _ask(self, scope: Scope, body: _Body, answer: _Answer) -> None:
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSE_S * 2**attempt)
            await self.app(scope, body.again(), answer.send)
            if answer.started or body.gone:
                return
            logger.warning("a replica is gone, and with it request %s", Headers(scope=scope)[HEADER])
            if not body.is_kept:
                break
        await answer.refuse(
            ServiceError(503, "replica_lost", "what was to answer was lost; ask again", {"Retry-After": "1"})
        )


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

    def forget(self) -> None:
        """Keep nothing any more."""
        self.is_kept = False
        self._kept.clear()

    async def _next(self) -> Message:
        message = await self._receive()
        self.gone = self.gone or message["type"] == "http.disconnect"
        self._bytes += len(message.get("body", b"")) + MESSAGE_BYTES
        if self._bytes > KEPT_BYTES:
            self.forget()
        if self.is_kept:
            self._kept.append(message)
        return message


class _Answer:
    """Passes an answer on; one of Ray's own is put into words of ours.

    Args:
        begin: called when it begins.

    Attributes:
        started: whether it has.
    """

    def __init__(self, send: Send, request_id: str, begin: Callable[[], None]) -> None:
        self._send, self._request_id, self._begin = send, request_id, begin
        self._refused = False
        self.started = False

    async def send(self, message: Message) -> None:
        """As of an application."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self._request_id  # once: Ray has added what the application has said already
            error = _rays_error(message["status"], headers)
            if error is not None:
                await self.refuse(error)
        if not self._refused:
            self._start()
            await self._send(message)

    async def refuse(self, error: ServiceError) -> None:
        """Answer with an error of ours, whatever comes after it."""
        self._start()
        self._refused = True
        response = error.response()
        response.headers[HEADER] = self._request_id
        await self._send({"type": "http.response.start", "status": error.status_code, "headers": response.raw_headers})
        await self._send({"type": "http.response.body", "body": bytes(response.body)})

    def _start(self) -> None:
        if not self.started:
            self.started = True
            self._begin()


def _clean(scope: Scope) -> str:
    """Leave a request one id, which is returned, and nothing that is for Ray alone."""
    headers = MutableHeaders(scope=scope)
    for name in list(headers):
        if name.replace("_", "-") in NOT_FOR_CLIENTS:
            del headers[name]
    given = headers.get(HEADER, "")
    headers[HEADER] = given if ACCEPTED.fullmatch(given) else new_id()
    return headers[HEADER]


def _rays_error(status: int, headers: Headers) -> ServiceError | None:
    """What an answer says, if it is none of the application, whose errors are JSON."""
    if status < HTTPStatus.BAD_REQUEST or headers.get("content-type", "").startswith("application/json"):
        return None
    code = CODES.get(status, "internal_error")
    retry = {"Retry-After": "1"} if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS} else None
    phrase = HTTPStatus(status).phrase.lower()
    return ServiceError(status, code, f"the request did not reach the application: {phrase}", retry)
