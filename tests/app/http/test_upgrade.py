"""Tests of requests that offer another protocol, over real sockets: they are answered as if they did not."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.app.http.conftest import Address, Start
from tests.app.http.test_server import TEXT, connect, drip, parsed, url
from tests.samples import jpeg_bytes

BODY = json.dumps(TEXT).encode()
OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    "websocket": b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "capitals": b"CONNECTION: UPGRADE\r\nUPGRADE: H2C\r\n",
    "TLS": b"Upgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\n",
}
HEAD = b"POST /pos HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
JAVA = """
import java.net.URI;
import java.net.http.*;

public class Client {
    public static void main(String[] arguments) throws Exception {
        var client = HttpClient.newHttpClient();  // prefers HTTP/2, so each request offers h2c
        for (int i = 0; i < 2; i++) {
            var body = HttpRequest.BodyPublishers.ofString("{\\"text\\": \\"A dog runs.\\"}");
            var request = HttpRequest.newBuilder(URI.create(arguments[0])).header("Content-Type", "application/json");
            var response = client.send(request.POST(body).build(), HttpResponse.BodyHandlers.ofString());
            System.out.println(response.statusCode());
        }
    }
}
"""


@pytest.fixture
def address(start: Start) -> Iterator[Address]:
    with start() as address:
        yield address


def answers(address: Address, request: bytes, count: int, *, size: int | None = None) -> list[int]:
    """Send bytes, in pieces of ``size``, and return the status of each response."""
    with connect(address) as connection:
        for at in range(0, len(request), size or len(request)):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request[at : at + (size or len(request))])
        received = b""
        while received.count(b"HTTP/1.1 ") < count or not received.endswith(b"}"):
            piece = connection.recv(65536)
            assert piece, received
            received += piece
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [None, 7], ids=["at once", "in pieces"])
def test_body_of_a_request_with_an_offer_is_read(
    address: Address, offer: bytes, framing: str, size: int | None
) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    framed = chunked if framing == "chunked" else b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    assert answers(address, HEAD + offer + framed, 1, size=size) == [200]


def test_recorded_request(address: Address, shared: Path) -> None:
    file = shared / "cases" / "h2c_upgrade_post.http"
    if not file.is_file():
        pytest.skip(f"{file} is missing")
    assert answers(address, file.read_bytes(), 1) == [200]


def test_connection_continues_after_offers(address: Address, caplog: pytest.LogCaptureFixture) -> None:
    """Every request on the connection may repeat the offer, or be sent before the response to the previous one."""
    offered = HEAD + OFFERS["h2c"] + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    plain = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + OFFERS["h2c"] + b"\r\n"
    assert answers(address, offered + get + plain + offered + get, 5) == [200] * 5
    assert "upgrade" not in caplog.text.lower()


def test_upload_with_an_offer(address: Address) -> None:
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
    large = jpeg_bytes() + bytes(3_000_000)  # bytes after the end of an image are ignored
    response = httpx.post(url(address, "/caption"), files={"image": large}, headers=offer)
    assert response.status_code == 200


def test_limits_hold_for_requests_with_an_offer(start: Start) -> None:
    with start(max_text_bytes=10) as address:
        assert answers(address, HEAD + OFFERS["h2c"] + b"Content-Length: 20\r\n\r\n" + b"x" * 20, 1) == [413]
        with connect(address) as connection:
            connection.sendall(HEAD + OFFERS["h2c"])
            assert parsed(drip(connection, b"X-A: " + b"b" * 1000 + b"\r\n"))[2]["code"] == "headers_too_large"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_offers_http2(address: Address) -> None:
    asked = ["curl", "--silent", "--http2", "--json", BODY.decode(), url(address)]
    assert "sentences" in json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("javac") is None, reason="a JDK is not installed")
def test_client_of_the_jdk(address: Address, tmp_path: Path) -> None:
    (tmp_path / "Client.java").write_text(JAVA)
    done = subprocess.run(
        ["java", tmp_path / "Client.java", url(address)], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == ["200", "200"]
