"""Prefix of all paths behind a proxy, with which or without which requests arrive."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from omninet.app.http.middleware.base import HttpMiddleware


class PathPrefix(HttpMiddleware):
    """Sets the path that clients use, which ASGI calls ``root_path`` plus path, whether or not the proxy removed it.

    Args:
        app: next ASGI application.
        prefix: such as ``/omninet``.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        super().__init__(app)
        self.prefix = prefix

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with the prefix; redirect from the prefix itself to the page, whose links are relative."""
        if scope["path"] == self.prefix:
            await Response(status_code=308, headers={"Location": f"{self.prefix}/"})(scope, receive, send)
            return
        if not scope["path"].startswith(f"{self.prefix}/"):
            scope["path"] = self.prefix + scope["path"]
        scope["root_path"] = self.prefix
        await self.app(scope, receive, send)
