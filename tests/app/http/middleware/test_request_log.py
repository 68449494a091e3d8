"""Tests of request ids and the request log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from omninet.app.http.keys import new_key
from omninet.app.telemetry.logs import JsonFormatter
from tests.app.conftest import Serve, Watched
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes

pytestmark = pytest.mark.anyio
TEXT = {"text": "A dog runs."}


class Lines(logging.Handler):
    """Collects log lines as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))

    def of(self, message: str) -> list[dict[str, Any]]:
        return [line for text in self.written if (line := json.loads(text))["message"] == message]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    handler = Lines()
    caplog.set_level(logging.INFO)
    logger = logging.getLogger("omninet.app")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


async def test_each_request_is_logged_once(serve: Serve, lines: Lines) -> None:
    key, kept = new_key("alice")
    async with serve(api_keys=str(kept)) as client:
        headers = {"Authorization": f"Bearer {key}", "X-Request-ID": "mine-1"}
        await client.post("/caption?secret=1", files={"image": jpeg_bytes()}, headers=headers)
        await client.get("/secret")
    caption, nothing = lines.of("request")
    size = caption.pop("bytes_received")
    assert size > len(jpeg_bytes())
    assert caption.pop("milliseconds") > 0
    assert caption.pop("time").endswith("+00:00")
    assert caption == {
        "level": "info",
        "logger": "omninet.app.http.middleware.request_log",
        "message": "request",
        "request_id": "mine-1",
        "method": "POST",
        "route": "/caption",
        "status": 200,
        "code": "",
        "key": "alice",
        "address": "127.0.0.1",
    }
    assert (nothing["route"], nothing["status"], nothing["code"], nothing["key"]) == (
        "other",
        401,
        "missing_api_key",
        "",
    )
    assert "secret" not in "".join(lines.written)
    assert key not in "".join(lines.written)


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "a" * 65, "ü", '"'])
async def test_invalid_request_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    made = {
        (await client.get("/healthz", headers={b"X-Request-ID": given.encode()})).headers["x-request-id"] for _ in "12"
    }
    assert len(made) == 2
    assert given not in made


async def test_every_answer_has_the_id(client: httpx.AsyncClient) -> None:
    for method, path in [
        ("GET", "/"),
        ("GET", "/nothing"),
        ("GET", "/pos"),
        ("POST", "/pos"),
        ("GET", "/static/app.js"),
    ]:
        response = await client.request(method, path, headers={"X-Request-ID": "Abc.1_2-3"})
        assert response.headers.get_list("x-request-id") == ["Abc.1_2-3"]


async def test_internal_error_has_all_headers_and_is_logged(serve: Serve, toy_predictor: Any, lines: Lines) -> None:
    class Broken(Watched):
        def prepare(self, *_: object, **__: object) -> None:
            raise RuntimeError("what broke")

    async with serve(Broken(toy_predictor), cors_origins="https://example.org") as client:
        headers = {"X-Request-ID": "mine", "Origin": "https://example.org"}
        response = await client.post("/pos", json=TEXT, headers=headers)
        figures = (await client.get("/metrics")).text
    check(response, 500, "internal_error")
    assert response.headers["x-request-id"] == "mine"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["access-control-allow-origin"] == "https://example.org"
    assert 'omninet_requests_total{code="internal_error",endpoint="/pos",status="500"} 1.0' in figures
    (failure,) = lines.of("unhandled exception in a request; the client receives internal_error")
    assert (failure["level"], failure["request_id"]) == ("error", "mine")
    assert failure["exception"].startswith("Traceback")
    assert "RuntimeError: what broke" in failure["exception"]
    assert next(line for line in lines.of("request") if line["request_id"] == "mine")["status"] == 500
