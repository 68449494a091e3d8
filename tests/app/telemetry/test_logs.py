"""Tests of JSON logging, also of the whole server."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from omninet.app.telemetry.logs import REQUEST_ID, JsonFormatter

ROOT = Path(__file__).parents[3]


def test_each_line_is_one_json_object() -> None:
    record = logging.LogRecord("a.b", logging.WARNING, "file", 1, 'two\nlines and "%s"', ("ü",), None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    fields = json.loads(line)
    assert fields.pop("time")
    assert fields == {"level": "warning", "logger": "a.b", "message": 'two\nlines and "ü"'}


def test_the_id_of_the_request_is_added() -> None:
    token = REQUEST_ID.set("mine")
    try:
        line = JsonFormatter().format(logging.makeLogRecord({"msg": "said"}))
    finally:
        REQUEST_ID.reset(token)
    assert json.loads(line)["request_id"] == "mine"


@pytest.mark.slow
def test_all_that_a_server_writes_is_json(toy_checkpoint: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "OMNINET_CHECKPOINT": str(toy_checkpoint),
        "OMNINET_BATCH_ROW": "1",
        "PYTHONWARNINGS": "default",
    }
    command = [sys.executable, "-m", "omninet", "serve", "--port", "0", "--device", "cpu"]
    log = tmp_path / "log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            address = process.stdout.readline().split()[-1]
            assert httpx.get(f"{address}/healthz").status_code == 200
            deadline = time.monotonic() + 60
            while httpx.get(f"{address}/readyz").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert httpx.post(f"{address}/pos", json={"text": "A dog runs."}).status_code == 200
        finally:
            process.terminate()
        assert process.stdout.read() == ""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["status"] for line in lines if line.get("route") == "/pos"] == [200]
    assert {"uvicorn.error", "omninet.app.local.backend"} <= {line["logger"] for line in lines}
    (unknown,) = (line for line in lines if line["logger"] == "omninet.app.variables")
    assert unknown["level"] == "warning"
    assert "OMNINET_BATCH_ROWS?" in unknown["message"]
    assert "dog" not in log.read_text()
