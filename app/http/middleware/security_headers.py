"""What browsers may do with an answer."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omninet.app.http.middleware.base import HttpMiddleware
from omninet.app.http.middleware.scope import path_of

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
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class SecurityHeaders(HttpMiddleware):
    """Tells browsers to load nothing from elsewhere and to embed the page nowhere."""

    def __init__(self, app: ASGIApp, docs_path: str = "/docs") -> None:
        super().__init__(app)
        self.docs_path = docs_path

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As of every middleware."""
        csp = DOCS_CSP if path_of(scope) == self.docs_path else CSP

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({"Content-Security-Policy": csp, **SECURITY_HEADERS})
            await send(message)

        await self.app(scope, receive, send_with_headers)
