"""Who may ask."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from omninet.app.errors import ServiceError
from omninet.app.http.keys import Keyring, key_in
from omninet.app.http.middleware.base import HttpMiddleware
from omninet.app.http.middleware.scope import HEALTH, address_of, note_key, path_of
from omninet.app.http.rate_limits import RateLimits

MISSING = "this service needs a key; send Authorization: Bearer KEY, or the key as the password of HTTP Basic"
# A browser asks its user for a password where it sees the first.
BASIC = {"WWW-Authenticate": 'Basic realm="OmniNet", charset="UTF-8"'}
BEARER = {"WWW-Authenticate": 'Bearer realm="OmniNet", error="invalid_token"'}


class ApiKeys(HttpMiddleware):
    """Finds out whose key a request has; where keys are set it refuses one without, health apart.

    Args:
        rates: what failed attempts are charged to, by address.
    """

    def __init__(self, app: ASGIApp, keys: Keyring, rates: RateLimits) -> None:
        super().__init__(app)
        self.keys = keys
        self.rates = rates

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As of every middleware.

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
            raise ServiceError(401, "invalid_api_key", "there is no such key", challenge)
        await self.app(scope, receive, send)
