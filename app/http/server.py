"""uvicorn, as the settings want it."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from omninet.app.errors import ServiceError
from omninet.app.http.middleware.request_log import HEADER, new_id
from omninet.app.http.middleware.security_headers import CSP, SECURITY_HEADERS
from omninet.app.settings import Settings
from omninet.app.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)
HEADER_BYTES = 2**16


class ServerConfig(uvicorn.Config):
    """What uvicorn is to do.

    Attributes:
        header_seconds: for the headers of a request.
        metrics: where requests are counted that never reach the application.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(
            app,
            http=Protocol,
            ws="none",
            log_config=None,
            access_log=False,  # the application logs its requests
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )
        self.header_seconds = settings.header_seconds
        self.metrics: Metrics = app.state.service.metrics


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 that neither waits nor reads for ever.

    The headers of a request must have come within some seconds of the connection, or of the last answer; so must what
    is left of a body that was answered before all of it had come. httptools reads headers and trailers of any size:
    here what is no body is limited, to some more bytes than there are of the body.
    """

    config: ServerConfig
    _timer: asyncio.TimerHandle | None = None
    _in_head = False  # whether a request has begun whose headers have not ended
    _extra = 0  # bytes of this request that are no body, less those of the body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Go on with a request."""
        self._extra += len(data)
        super().data_received(data)
        if self._extra > HEADER_BYTES:
            message = f"the headers of the request are too large; at most {HEADER_BYTES} bytes are accepted"
            self._refuse(ServiceError(431, "headers_too_large", message, limit=HEADER_BYTES))
        self._wait()

    def on_response_complete(self) -> None:
        """Start to wait for the next request, unless it is there."""
        super().on_response_complete()
        self._wait()

    def on_message_begin(self) -> None:
        """Expect headers."""
        self._in_head, self._extra = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Expect no more of them."""
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Go on with the body."""
        self._extra -= 2 * len(body)
        super().on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        self._stop()

    def send_400_response(self, msg: str) -> None:
        """Say in the one shape that this is no HTTP."""
        self._refuse(ServiceError(400, "invalid_http", msg))

    def _wait(self) -> None:
        """Let the timer run just while no request is at work."""
        if self._is_working() or self.transport.is_closing():
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.config.header_seconds, self._give_up)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_working(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _is_due(self) -> bool:
        """Whether no answer has begun to the request that comes."""
        if self._is_working():
            return not self.cycle.response_started
        return self._in_head or self.cycle is None or not self.cycle.more_body

    def _give_up(self) -> None:
        if not self._in_head:  # a browser would take an answer for that to what it asks next
            self.transport.close()
            return
        seconds = self.config.header_seconds
        message = f"the headers of the request have not arrived within {seconds:g} seconds"
        self._refuse(ServiceError(408, "headers_too_slow", message, seconds=seconds))

    def _refuse(self, error: ServiceError) -> None:
        """Answer past the application, where an answer is due, and close the connection."""
        if self._is_due():
            self.config.metrics.requests.labels("other", str(error.status_code), error.code).inc()
            logger.info("refused", extra={"fields": {"code": error.code, "address": self.client and self.client[0]}})
            self.transport.write(_as_bytes(error))
        self.transport.close()


def _as_bytes(error: ServiceError) -> bytes:
    response = error.response()
    response.headers.update(
        {**SECURITY_HEADERS, "Content-Security-Policy": CSP, HEADER: new_id(), "Connection": "close"}
    )
    status = HTTPStatus(error.status_code)
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode()), *map(b": ".join, response.raw_headers)]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
