"""Rate limit on requests."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from omninet.app.http.middleware.base import HttpMiddleware
from omninet.app.http.middleware.scope import HEALTH, address_of, key_of, path_of
from omninet.app.http.rate_limits import RateLimits


class RateLimit(HttpMiddleware):
    """Charges each request to its key, or to its address without one; health checks and static files are free."""

    def __init__(self, app: ASGIApp, rates: RateLimits) -> None:
        super().__init__(app)
        self.rates = rates

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Charge a request and pass it on.

        Raises:
            ServiceError: ``rate_limited``.
        """
        if not _is_free(path_of(scope)):
            if name := key_of(scope):
                self.rates.charge_key(name)
            else:
                self.rates.charge_address(address_of(scope))
        await self.app(scope, receive, send)


def _is_free(path: str) -> bool:
    return path in HEALTH or path.startswith("/static/")
