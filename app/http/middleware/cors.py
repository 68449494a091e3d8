"""CORS: access from web pages of other origins."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from omninet.app.errors import ServiceError
from omninet.app.http.error_responses import send_error


class Cors(CORSMiddleware):
    """Starlette's CORS middleware with JSON errors; does not allow credentials (cookies, HTTP authentication).

    Args:
        app: next ASGI application.
        origins: allowed origins such as ``https://example.org``; ``*`` allows all.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("DELETE", "GET", "POST"),
            allow_headers=("Authorization", "X-Timeout-Seconds", "X-Request-ID"),
            expose_headers=("Retry-After", "X-Request-ID"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; send a JSON error for a rejected preflight request."""
        try:
            await super().__call__(scope, receive, send)
        except ServiceError as error:
            await send_error(error, scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the response to a preflight request.

        Raises:
            ServiceError: ``cors_refused``: the origin, method or a header is not allowed.
        """
        response = super().preflight_response(request_headers)
        if response.status_code != 200:
            raise ServiceError(400, "cors_refused", bytes(response.body).decode(), {"Vary": response.headers["Vary"]})
        return response
