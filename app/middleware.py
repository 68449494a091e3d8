"""What happens to every request before the endpoints see it, and to every answer after them."""

from __future__ import annotations

import asyncio
import contextlib
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ServiceError, code_of, note_code
from app.metrics import Metrics

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# FastAPI's /docs takes its scripts from this address and starts them inline.
DOCS_CSP = (
    "default-src 'self'; script-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DRAIN_SECONDS = 10
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Measured:
    """Counts every request; what matches no route is one endpoint, ``other``."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            endpoint = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(endpoint, str(status), code_of(scope)).inc()
            self.metrics.seconds.labels(endpoint).observe(time.perf_counter() - started)


class SecurityHeaders:
    """Tells browsers to load nothing from elsewhere and to embed the page nowhere."""

    def __init__(self, app: ASGIApp, docs_path: str = "/docs") -> None:
        self.app = app
        self.docs_path = docs_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        csp = DOCS_CSP if path == self.docs_path else CSP

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({"Content-Security-Policy": csp, **SECURITY_HEADERS})
            await send(message)

        await self.app(scope, receive, send_with_headers)


class BodyLimit:
    """Refuses a body that is too large: at once where its length is declared, else when it has grown so far.

    Args:
        upload: most bytes of a multipart body.
        other: most bytes of any other body.
    """

    def __init__(self, app: ASGIApp, upload: int, other: int) -> None:
        self.app = app
        self.upload = upload
        self.other = other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self.upload if headers.get("content-type", "").startswith("multipart/") else self.other
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            if "expect" not in headers:  # else the client waits for our word before it sends anything
                await _drain(receive, limit)
            error = _too_large(limit)
            note_code(scope, error.code)
            await error.response()(scope, receive, send)
            return
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
