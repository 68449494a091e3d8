"""uvicorn with the service's settings, limits on slow clients and headers, and JSON errors below the application."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from omninet.app.errors import ServiceError
from omninet.app.http.error_responses import response_of
from omninet.app.http.middleware.request_log import HEADER, new_id
from omninet.app.http.middleware.security_headers import CSP, SECURITY_HEADERS
from omninet.app.http.parser import NoUpgradeParser
from omninet.app.http.send_time import SendTime
from omninet.app.settings import Settings
from omninet.app.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)
HEADER_BYTES = 2**16
IPV4_MAPPED = "::ffff:"


class ServerConfig(uvicorn.Config):
    """Configuration of uvicorn from the settings of the service.

    Attributes:
        header_seconds: time-out for the headers of a request.
        download_seconds: time-out for a client to receive a response.
        metrics: counts requests that never reach the application.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(
            app,
            http=LimitedHttpProtocol,
            ws="none",
            log_config=None,
            access_log=False,  # the application logs its requests
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )
        self.header_seconds, self.download_seconds = settings.header_seconds, settings.download_seconds
        self.metrics: Metrics = app.state.service.metrics


class LimitedHttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 protocol with time-outs for headers and responses, and a limit on the size of headers and trailers.

    The time-out of headers starts with the connection and after each response. It covers the headers of the next
    request and the rest of a body whose response was sent before the body was complete. httptools accepts headers,
    trailers and chunk framing of any size; here they may exceed the size of the body by ``HEADER_BYTES``. Offers to
    upgrade the protocol are ignored.
    """

    config: ServerConfig
    parser: NoUpgradeParser  # type: ignore[assignment]
    _send_time: SendTime
    _timer: asyncio.TimerHandle | None = None
    _in_headers = False  # a request has begun and its headers are incomplete
    _overhead = 0  # bytes of this request outside the body minus bytes of the body

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.parser = NoUpgradeParser(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time-out for the first request."""
        super().connection_made(transport)
        if self.client is not None:
            self.client = _unmapped(self.client[0]), self.client[1]
        self._send_time = SendTime(transport, self.config.download_seconds, self._log_slow_reader)
        self._update_timer()

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; reject headers that are too large."""
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > HEADER_BYTES:
            message = f"the headers of the request are too large; at most {HEADER_BYTES} bytes are accepted"
            self._reject(ServiceError(431, "headers_too_large", message, limit=HEADER_BYTES))
        self._update_timer()

    def on_response_complete(self) -> None:
        """Start the time-outs for sending the response and for the next request, unless it has been received."""
        super().on_response_complete()
        self._send_time.start()
        self._update_timer()

    def on_message_begin(self) -> None:
        """Reset the counters for a new request."""
        self._in_headers, self._overhead = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin to process the request, unless its headers are parsed again without the offer to upgrade."""
        self._in_headers = False
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the body is complete, unless the headers are parsed again."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """Subtract the body from the overhead; twice, since ``data_received`` has added it once."""
        self._overhead -= 2 * len(body)
        super().on_body(body)

    def pause_writing(self) -> None:
        """Start the time-out for sending: the client reads more slowly than the response is written."""
        super().pause_writing()
        self._send_time.start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the time-outs."""
        super().connection_lost(exc)
        self._cancel_timer()
        self._send_time.stop()

    def send_400_response(self, msg: str) -> None:
        """Answer malformed HTTP with a JSON error, in place of uvicorn's plain text."""
        self._reject(ServiceError(400, "invalid_http", msg))

    def _update_timer(self) -> None:
        """Run the timer while no request is being processed; cancel it otherwise."""
        if self._is_processing() or self.transport.is_closing():
            self._cancel_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.config.header_seconds, self._on_timeout)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_processing(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _can_respond(self) -> bool:
        """Whether the client expects a response and none has begun."""
        if self._is_processing():
            return not self.cycle.response_started
        return self._in_headers or self.cycle is None or not self.cycle.more_body

    def _on_timeout(self) -> None:
        if not self._in_headers:  # an idle browser would take an error for the response to its next request
            self.transport.close()
            return
        seconds = self.config.header_seconds
        message = f"the headers of the request have not arrived within {seconds:g} seconds"
        self._reject(ServiceError(408, "headers_too_slow", message, seconds=seconds))

    def _reject(self, error: ServiceError) -> None:
        """Send an error without the application, if a response is expected, and close the connection."""
        if self._can_respond():
            self.config.metrics.requests.labels("other", str(error.status_code), error.code).inc()
            logger.info(
                "request rejected before it reached the application",
                extra={"fields": {"code": error.code, "address": self.client and self.client[0]}},
            )
            self.transport.write(_as_bytes(error))
        self.transport.close()

    def _log_slow_reader(self) -> None:
        logger.info(
            "the client read a response too slowly; the connection is closed",
            extra={"fields": {"code": "download_too_slow", "address": self.client and self.client[0]}},
        )


def _unmapped(address: str) -> str:
    """Return the IPv4 address of a client that IPv4 connects to a socket of IPv6; any other address as it is.

    Trusted proxies and rates are settings in terms of IPv4.
    """
    return address.removeprefix(IPV4_MAPPED) if "." in address else address


def _as_bytes(error: ServiceError) -> bytes:
    response = response_of(error)
    response.headers.update(
        {**SECURITY_HEADERS, "Content-Security-Policy": CSP, HEADER: new_id(), "Connection": "close"}
    )
    status = HTTPStatus(error.status_code)
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode()), *map(b": ".join, response.raw_headers)]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
