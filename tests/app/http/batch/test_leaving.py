"""Tests of clients that disconnect while their batch is answered, over real sockets."""

from __future__ import annotations

import json
import logging
import time

import httpx
import pytest

from omninet.model.predictor import Predictor
from tests.app.conftest import Watched
from tests.app.engine.test_engine import Gate
from tests.app.http.conftest import Start
from tests.app.http.test_server import connect, url

ITEMS = [{"task": "pos", "inputs": {"text": "A dog runs. " * 20}}] * 8


def test_items_of_a_client_that_disconnects_leave_the_model(
    start: Start, toy_predictor: Predictor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    body = json.dumps({"items": ITEMS}).encode()
    head = b"POST /batch HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with start(Watched(toy_predictor, gate := Gate()), batch_rows=4) as address:
        with connect(address) as connection:
            connection.sendall(head % len(body) + body)
            assert gate.reached.wait(10)
            time.sleep(0.3)
        deadline = time.monotonic() + 10
        while "/batch" not in str([record.__dict__.get("fields") for record in caplog.records]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        gate.open.set()
        assert httpx.post(url(address), json={"text": "A dog."}).status_code == 200
    lines = [record.__dict__["fields"] for record in caplog.records if record.message == "request"]
    assert {(line["status"], line["code"]) for line in lines[:-1]} == {(499, "client_closed_request")}
    assert 1 < len(lines) - 1 <= 9
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
