"""Authentication by API key."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from omninet.app.errors import ServiceError
from omninet.app.http.keys import Keyring, key_in
from omninet.app.http.middleware.base import HttpMiddleware
from omninet.app.http.middleware.scope import HEALTH, address_of, note_key, path_of
from omninet.app.http.rate_limits import RateLimits

MISSING = "this service needs a key; send Authorization: Bearer KEY, or the key as the password of HTTP Basic"
# A Basic challenge makes browsers show a password prompt; clients that sent a Bearer token get a Bearer challenge.
BASIC = {"WWW-Authenticate": 'Basic realm="OmniNet", charset="UTF-8"'}
BEARER = {"WWW-Authenticate": 'Bearer realm="OmniNet", error="invalid_token"'}


class ApiKeys(HttpMiddleware):
    """Identifies the key of a request; rejects requests without a valid key if any API keys are set.

    The health endpoints are exempt.

    Args:
        app: next ASGI application.
        keys: accepted keys.
        rates: charged by address for each failed attempt.
    """

    def __init__(self, app: ASGIApp, keys: Keyring, rates: RateLimits) -> None:
        super().__init__(app)
        self.keys = keys
        self.rates = rates

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate a request and pass it on.

        Raises:
            ServiceError: ``missing_api_key``, ``invalid_api_key``, ``rate_limited``.
        """
        authorization = Headers(scope=scope).get("authorization", "")
        key = key_in(authorization)
        name = self.keys.name_of(key)
        if name is not None:
            note_key(scope, name)
        elif self.keys.required and path_of(scope) not in HEALTH:
            self.rates.charge_address(address_of(scope))
            if not key:
                raise ServiceError(401, "missing_api_key", MISSING, BASIC)
            challenge = BEARER if authorization.lower().startswith("bearer") else BASIC
            raise ServiceError(
                401,
                "invalid_api_key",
                "the API key is unknown; check OMNINET_API_KEYS or ask the operator for a key",
                challenge,
            )
        await self.app(scope, receive, send)
