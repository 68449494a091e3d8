"""Which pages of other origins may ask."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from omninet.app.errors import ServiceError, refuse


class Cors(CORSMiddleware):
    """Starlette's, with refusals in the one shape. Cookies, and passwords that a browser keeps, are not let through.

    Args:
        origins: such as ``https://example.org``; ``*`` is all.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "X-Timeout-Seconds", "X-Request-ID"),
            expose_headers=("Retry-After", "X-Request-ID"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await super().__call__(scope, receive, send)
        except ServiceError as error:
            await refuse(error, scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Say to a browser what a page may send.

        Raises:
            ServiceError: ``cors_refused``.
        """
        response = super().preflight_response(request_headers)
        if response.status_code != 200:
            raise ServiceError(400, "cors_refused", bytes(response.body).decode(), {"Vary": response.headers["Vary"]})
        return response
