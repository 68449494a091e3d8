"""Tests with a real server and sockets: slow, silent, malformed and disconnecting clients."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from omninet.app.http.keys import new_key
from omninet.model.predictor import Predictor
from tests.app.conftest import Watched
from tests.app.http.conftest import Address, Start

TEXT = {"text": "A dog runs."}
HEAD = b"POST /pos HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@pytest.fixture
def hasty(start: Start) -> Iterator[Address]:
    with start(header_seconds=1, upload_seconds=1) as address:
        yield address


def url(address: Address, path: str = "/pos") -> str:
    return f"http://{address[0]}:{address[1]}{path}"


def connect(address: Address) -> socket.socket:
    return socket.create_connection(address, timeout=20)


def rest(connection: socket.socket) -> bytes:
    """Receive until the server closes the connection."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def parsed(answer: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Parse a response into status, headers and error."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in headers)
    assert int(fields["content-length"]) == len(body)
    return int(status.split()[1]), fields, json.loads(body)["error"]


def drip(connection: socket.socket, piece: bytes) -> bytes:
    """Send small pieces until the server closes the connection."""
    connection.settimeout(0.1)
    pieces = [b""]
    with suppress(ConnectionError):  # a piece was on its way when the server closed
        while len(pieces) == 1 or pieces[-1]:
            try:
                pieces.append(connection.recv(65536))
            except TimeoutError:
                connection.sendall(piece)
    return b"".join(pieces)


def test_headers_that_never_end(hasty: Address) -> None:
    started = time.monotonic()
    with connect(hasty) as connection:
        connection.sendall(HEAD)
        status, headers, error = parsed(drip(connection, b"X-A: b\r\n"))
    assert time.monotonic() - started > 0.9, "no sooner than it is said; a later end would come of too many headers"
    assert (status, error["code"]) == (408, "headers_too_slow")
    assert headers["connection"] == "close"
    assert headers["x-frame-options"] == "deny"
    assert headers["x-request-id"]
    metrics = httpx.get(url(hasty, "/metrics")).text
    assert 'omninet_requests_total{code="headers_too_slow",endpoint="other",status="408"} 1.0' in metrics


def test_headers_that_never_end_after_a_good_request(hasty: Address) -> None:
    body = json.dumps(TEXT).encode()
    with connect(hasty) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(HEAD)
        answer = drip(connection, b"X-A: b\r\n")
    assert parsed(answer[answer.index(b"HTTP/1.1 408") :])[2]["code"] == "headers_too_slow"


@pytest.mark.parametrize("line", [b"X-A: b\r\n", b"X-A: " + b"b" * 1000 + b"\r\n"])
@pytest.mark.parametrize("opening", [HEAD, HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"], ids=["head", "trailers"])
def test_oversized_headers_are_rejected(start: Start, opening: bytes, line: bytes) -> None:
    with start() as address:
        with connect(address) as connection:
            connection.sendall(opening)
            answer, sent = b"", 0
            with suppress(ConnectionError):  # it is closed while more is on its way, and the answer may be lost
                while not answer:
                    assert (sent := sent + 100 * len(line)) < 2**22
                    connection.sendall(line * 100)
                    connection.settimeout(0.01)
                    with suppress(TimeoutError):
                        answer = rest(connection)
        metrics = httpx.get(url(address, "/metrics")).text
    assert 'omninet_requests_total{code="headers_too_large",endpoint="other",status="431"} 1.0' in metrics
    if answer:
        status, headers, error = parsed(answer)
        assert (status, headers["connection"]) == (431, "close")
        assert (error["code"], error["detail"]) == ("headers_too_large", {"limit": 65536})


def test_a_large_body_may_follow_small_headers(start: Start) -> None:
    body = json.dumps(TEXT | {"text": ["A dog runs."] * 5000}).encode()
    with start() as address:
        answers = [httpx.post(url(address), content=body, headers={"Content-Type": "application/json"}) for _ in "ab"]
    assert [answer.status_code for answer in answers] == [413, 413]


def test_silent_connection_is_closed_without_a_response(hasty: Address) -> None:
    with connect(hasty) as connection:
        assert rest(connection) == b""


def test_a_body_that_never_ends(hasty: Address) -> None:
    for length, piece in (
        (b"Content-Length: 1000\r\n\r\n", b" "),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ):
        with connect(hasty) as connection:
            connection.sendall(HEAD + length)
            status, headers, error = parsed(drip(connection, piece))
        assert (status, error["code"], headers["connection"]) == (408, "upload_too_slow", "close")
        assert error["detail"] == {"seconds": 1.0}


def test_endless_body_after_its_response(hasty: Address) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD.replace(b"/pos", b"/nothing") + b"Content-Length: 1000\r\n\r\n")
        answer = drip(connection, b" ")
    assert answer.count(b"HTTP/1.1") == 1
    assert parsed(answer)[0] == 404


def test_head_has_no_body(hasty: Address) -> None:
    with connect(hasty) as connection:
        connection.sendall(
            b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        first, second, nothing = rest(connection).split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200")
    assert b"content-length: 15" in first
    assert second.startswith(b"HTTP/1.1 200")
    assert not nothing


def test_malformed_body_after_its_response(hasty: Address) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD.replace(b"/pos", b"/nothing") + b"Transfer-Encoding: chunked\r\n\r\n")
        answer = connection.recv(65536)
        connection.sendall(b"no number\r\n")
        answer += rest(connection)
    assert answer.count(b"HTTP/1.1") == 1


def test_malformed_body(hasty: Address) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n")
        status, _, error = parsed(rest(connection))
    assert (status, error["code"]) == (400, "invalid_http")


def test_malformed_http(hasty: Address) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"\x16\x03\x01\r\n\r\n")
        status, headers, error = parsed(rest(connection))
    assert (status, error["code"], headers["connection"]) == (400, "invalid_http", "close")


def test_an_answer_may_take_longer_than_its_request(start: Start, toy_predictor: Predictor) -> None:
    with start(Watched(toy_predictor, lambda _: time.sleep(1)), header_seconds=0.3, upload_seconds=0.3) as address:
        assert httpx.post(url(address), json=TEXT).status_code == 200


def test_connection_is_kept_alive(start: Start) -> None:
    with start(header_seconds=1.5, upload_seconds=1.5) as address, httpx.Client() as client:
        ports = set()
        for _ in range(4):
            with client.stream("POST", url(address), json=TEXT) as response:
                assert response.read()
                ports.add(response.extensions["network_stream"].get_extra_info("client_addr"))
            time.sleep(0.6)
    assert len(ports) == 1


def test_client_of_a_rejected_upload_receives_the_error(start: Start) -> None:
    with start(api_keys=str(new_key("alice")[1])) as address:
        response = httpx.post(url(address, "/caption"), files={"image": b"x" * 20_000_000})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "missing_api_key")


def test_client_disconnects_while_sending(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kinds = (b"application/json", b"multipart/form-data; boundary=b")
    with start() as address:
        for path, kind in zip((b"/pos", b"/caption"), kinds, strict=True):
            head = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: 99\r\n\r\n--b" % (path, kind)
            with connect(address) as connection:
                connection.sendall(head)
                time.sleep(0.2)
    lines = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert [(line["route"], line["code"], line["status"]) for line in lines] == [
        ("/pos", "client_closed_request", 499),
        ("/caption", "client_closed_request", 499),
    ]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(("trusted", "second"), [("", 429), ("127.0.0.0/8", 200), ("10.0.0.1", 429)])
def test_forwarded_address_is_trusted_from_trusted_proxies_only(start: Start, trusted: str, second: int) -> None:
    with start(rate_per_minute=1, rate_burst=1, trusted_proxies=trusted) as address:
        answers = [
            httpx.post(url(address), json=TEXT, headers={"X-Forwarded-For": f"198.51.100.{i}"}).status_code
            for i in range(2)
        ]
    assert answers == [200, second]


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
@pytest.mark.parametrize(("trusted", "second"), [("", 429), ("127.0.0.0/8", 200)])
def test_ipv4_clients_of_an_ipv6_socket_have_their_ipv4_address(
    start: Start, caplog: pytest.LogCaptureFixture, trusted: str, second: int
) -> None:
    caplog.set_level(logging.INFO)
    with start(host="::", rate_per_minute=1, rate_burst=1, trusted_proxies=trusted) as (_, port, *_):
        answers = [
            httpx.post(f"http://127.0.0.1:{port}/pos", json=TEXT, headers={"X-Forwarded-For": f"198.51.100.{i}"})
            for i in range(2)
        ]
    assert [answer.status_code for answer in answers] == [200, second]
    lines = [record.__dict__["fields"]["address"] for record in caplog.records if record.message == "request"]
    assert lines == ([f"198.51.100.{i}" for i in range(2)] if trusted else ["127.0.0.1"] * 2)


async def _slow(address: Address, opening: bytes, piece: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    answer = asyncio.create_task(_all_of(reader))
    writer.write(opening)
    try:
        while not (await asyncio.wait({answer}, timeout=0.5))[0]:
            writer.write(piece)
    finally:
        writer.close()
    return await answer


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    with suppress(ConnectionResetError):  # a piece was on its way when the server closed
        while piece := await reader.read(65536):
            pieces.append(piece)
    return b"".join(pieces)


def _slow_headers(address: Address) -> list[asyncio.Task[bytes]]:
    """Connect clients that never complete their headers."""
    return [asyncio.create_task(_slow(address, HEAD, b"X-A: b\r\n")) for _ in range(100)]


def _slow_bodies(address: Address) -> list[asyncio.Task[bytes]]:
    """Connect clients that never complete their bodies."""
    opening = HEAD + b"Content-Length: 1000\r\n\r\n"
    return [asyncio.create_task(_slow(address, opening, b" ")) for _ in range(100)]


@pytest.mark.slow
@pytest.mark.anyio
async def test_slow_clients_do_not_delay_others(start: Start) -> None:
    """All fast clients are answered while the slow ones are still connected."""
    with start(header_seconds=3600, upload_seconds=3600) as address:
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=50), timeout=600) as client:
            slow = _slow_headers(address) + _slow_bodies(address)
            await asyncio.sleep(1)
            normal = await asyncio.gather(*(client.post(url(address), json=TEXT) for _ in range(50)))
        assert {answer.status_code for answer in normal} == {200}
        assert not any(task.done() for task in slow)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("slow", "limit", "code"),
    [(_slow_headers, "header_seconds", "headers_too_slow"), (_slow_bodies, "upload_seconds", "upload_too_slow")],
)
async def test_many_slow_clients_are_cut_off(
    start: Start, slow: Callable[[Address], list[asyncio.Task[bytes]]], limit: str, code: str
) -> None:
    """Slow clients time out. The other time-out is long, since on a busy machine even undelayed parts take long.

    There is no answer where the time-out came before the first byte was read, or where a piece was on its way.
    """
    with start(**{"header_seconds": 3600, "upload_seconds": 3600, limit: 1}) as address:
        answers = await asyncio.gather(*slow(address))
    assert {parsed(answer)[2]["code"] for answer in answers if answer} == {code}
