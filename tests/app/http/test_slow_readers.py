"""Tests of clients that read their responses too slowly, over real sockets."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from omninet.app.main import create_app
from tests.app.http.conftest import Address, Start
from tests.app.http.test_server import rest, url

LARGE = 8_000_000
Read = Callable[[socket.socket], None]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every application two endpoints with large responses: at once, and in parts."""
    from fastapi import FastAPI, Response
    from fastapi.responses import StreamingResponse

    def with_more(*arguments: object) -> FastAPI:
        app = create_app(*arguments)  # type: ignore[arg-type]
        app.get("/large")(lambda: Response(b"x" * LARGE))
        app.get("/parts")(lambda: StreamingResponse(b"x" * 10_000 for _ in range(LARGE // 10_000)))
        return app

    monkeypatch.setattr("tests.app.http.conftest.create_app", with_more)


def asking(address: Address, path: str) -> socket.socket:
    """Send a request on a connection with small buffers."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    connection.connect(address)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return connection


def sleep(_: socket.socket) -> None:
    time.sleep(0.05)


def drip(connection: socket.socket) -> None:
    time.sleep(0.05)
    connection.recv(1000)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("read", [sleep, drip])
@pytest.mark.parametrize("path", ["/large", "/parts"])
def test_slow_reader_is_cut_off(start: Start, caplog: pytest.LogCaptureFixture, path: str, read: Read) -> None:
    caplog.set_level(logging.INFO)
    with start(download_seconds=0.5) as address, asking(address, path) as connection:
        deadline = time.monotonic() + 15
        with suppress(ConnectionResetError):
            while "too slowly" not in caplog.text and time.monotonic() < deadline:
                read(connection)
        (line,) = [record.__dict__["fields"] for record in caplog.records if "too slowly" in record.message]
        assert line == {"code": "download_too_slow", "address": "127.0.0.1"}
        with pytest.raises(ConnectionResetError):
            rest(connection)
        assert httpx.get(url(address, "/healthz")).status_code == 200
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("path", ["/large", "/parts"])
def test_fast_enough_reader_is_not_cut_off(start: Start, path: str) -> None:
    """The time-out counts from the response, not from the start of the connection."""
    with start(download_seconds=2) as address, httpx.Client() as client:
        for _ in range(3):
            time.sleep(1)
            assert len(client.get(url(address, path)).content) == LARGE


@pytest.mark.usefixtures("large")
def test_slow_reader_that_has_asked_to_close_is_cut_off(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with start(download_seconds=0.5, header_seconds=0.2) as address, asking(address, "/nothing") as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        deadline = time.monotonic() + 15
        while "too slowly" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "too slowly" in caplog.text
