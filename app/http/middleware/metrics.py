"""Metrics of requests."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omninet.app.http.error_responses import code_of
from omninet.app.http.middleware.base import HttpMiddleware
from omninet.app.http.middleware.scope import endpoint_of
from omninet.app.telemetry.metrics import Metrics


class RequestMetrics(HttpMiddleware):
    """Counts requests by endpoint, status and error code, and measures their duration."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        super().__init__(app)
        self.metrics = metrics

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, then record its metrics."""
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
            endpoint = endpoint_of(scope)
            self.metrics.requests.labels(endpoint, str(status), code_of(scope)).inc()
            self.metrics.seconds.labels(endpoint).observe(time.perf_counter() - started)
