"""Security headers of responses."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omninet.app.http.middleware.base import HttpMiddleware
from omninet.app.http.middleware.scope import path_of

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOCS_CSP = CSP.replace("img-src 'self'", "img-src 'self' data:")  # Swagger UI's style sheet contains its icons
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(self), geolocation=()",
}


class SecurityHeaders(HttpMiddleware):
    """Adds a Content-Security-Policy and further security headers to every response.

    Args:
        app: next ASGI application.
        docs_path: path of the API documentation, which has a policy of its own.
    """

    def __init__(self, app: ASGIApp, docs_path: str = "/docs") -> None:
        super().__init__(app)
        self.docs_path = docs_path

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add the headers to its response."""
        csp = DOCS_CSP if path_of(scope) == self.docs_path else CSP

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({"Content-Security-Policy": csp, **SECURITY_HEADERS})
            await send(message)

        await self.app(scope, receive, send_with_headers)
