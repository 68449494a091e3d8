"""Tests of the server as a process: signals, and cleanup of child processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from omninet.model.checkpoint import Checkpoint, save
from tests.app.local.test_reload import POSTS, damage, variant
from tests.app.telemetry.test_metrics import figures, of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
CLIENTS = 18


@dataclass
class Server:
    """A running server.

    Attributes:
        log: file with its standard error.
    """

    address: str
    process: subprocess.Popen[str]
    log: Path

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.address + path, timeout=10)

    def version(self) -> str:
        version: str = self.get("/tasks").json()["model"]["version"]
        return version

    def until_ready(self) -> None:
        until(lambda: self.get("/readyz").status_code == 200)

    def connections(self) -> int:
        """Return the number of established connections of the server."""
        every = psutil.Process(self.process.pid).net_connections("tcp")
        return sum(each.status == psutil.CONN_ESTABLISHED for each in every)

    def relatives(self) -> list[int]:
        """Return the ids of all processes in the server's session."""
        return [
            int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if _session(path) == self.process.pid
        ]


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def _session(path: Path) -> int:
    with suppress(OSError):
        state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
        return int(session) if state != "Z" else 0
    return 0


@contextmanager
def serving(checkpoint: Path, log: Path, **settings: object) -> Iterator[Server]:
    """Start a server of a checkpoint; do not wait until it is ready."""
    environment = {f"OMNINET_{name.upper()}": str(value) for name, value in settings.items()}
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "omninet", "serve", "--port", "0", "--checkpoint", checkpoint, "--device", "cpu"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            assert process.stdout
            line = process.stdout.readline()
            address = re.search(r"http://\S+", line)
            assert address, log.read_text()
            yield Server(address[0], process, log)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def folder(toy: Checkpoint, tmp_path: Path) -> Path:
    save(variant(toy, 1), tmp_path / "served")
    return tmp_path / "served"


def test_sighup_reloads(toy: Checkpoint, folder: Path, tmp_path: Path) -> None:
    with serving(folder, tmp_path / "log") as server, ThreadPoolExecutor(6) as threads:
        os.kill(server.process.pid, signal.SIGHUP)  # rejected: the first model is not loaded yet
        server.until_ready()
        over = threading.Event()

        def ask(path: str) -> int:
            with httpx.Client(base_url=server.address, timeout=60) as client:
                asked = 0
                while not over.is_set():
                    client.post(path, **POSTS[path]).raise_for_status()
                    asked += 1
                return asked

        asking = [threads.submit(ask, path) for path in POSTS]
        try:
            save(variant(toy, 2), folder)
            os.kill(server.process.pid, signal.SIGHUP)
            until(lambda: server.version() == "2")
            damage(folder)
            until(lambda: _failed(server))
            assert server.version() == "2"
        finally:
            over.set()
        assert all(each.result() for each in asking)
        found = figures(server.get("/metrics").text)
        assert of(found, "reloads_total", result="succeeded") == 1
        assert of(found, "reloads_total", result="failed") >= 1
        assert "served/model.safetensors was altered" in server.log.read_text()


def _failed(server: Server) -> bool:
    """Send SIGHUP and return whether a reload has failed; repeated, since the previous reload may still be running."""
    os.kill(server.process.pid, signal.SIGHUP)
    time.sleep(0.5)
    return "the checkpoint was not reloaded: reload failed" in server.log.read_text()


def test_stop_under_load(folder: Path, tmp_path: Path) -> None:
    patient = {"deadline_seconds": 600, "shutdown_seconds": 600}
    with serving(folder, tmp_path / "log", batch_rows=1, max_waiting_rows=10**6, **patient) as server:
        server.until_ready()
        assert len(server.relatives()) > 1
        done: list[int] = []

        def ask(i: int) -> httpx.Response:
            path = list(POSTS)[i % len(POSTS)]
            post = {"json": {"text": "A dog runs. " * 200}} if path == "/pos" else POSTS[path]
            response = httpx.post(server.address + path, timeout=600, **post)
            done.append(i)
            return response

        with ThreadPoolExecutor(CLIENTS) as threads:
            asking = [threads.submit(ask, i) for i in range(CLIENTS)]
            until(lambda: len(done) + server.connections() >= CLIENTS)
            time.sleep(0.5)  # the server has read the requests
            os.kill(server.process.pid, signal.SIGTERM)
            until(lambda: _refuses(server))
            assert len(done) < CLIENTS, "nothing is left to be answered"
            assert server.process.wait(600) == 0
            assert [each.result().status_code for each in asking] == [200] * CLIENTS

        until(lambda: not server.relatives())
        log = server.log.read_text()
        assert "Traceback" not in log
        assert {json.loads(line)["level"] for line in log.splitlines()} <= {"info", "warning"}


def _refuses(server: Server) -> bool:
    try:
        return server.get("/readyz").status_code == 503
    except httpx.TransportError:
        return True


@pytest.mark.parametrize("media", [False, True], ids=["the model", "media processes"])
def test_stop_while_starting(folder: Path, tmp_path: Path, media: bool) -> None:
    """Stop the server while the model is being loaded or the media processes are being started."""
    with serving(folder, tmp_path / "log", media_processes=4) as server:
        until(lambda: len(server.relatives()) > 2 * media)  # forkserver and its tracker come before them
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(60) == 0
        until(lambda: not server.relatives())


def test_stop_ends_after_the_grace_period(folder: Path, tmp_path: Path) -> None:
    """A client that never completes its request does not keep the server from stopping."""
    with serving(folder, tmp_path / "log", shutdown_seconds=1, upload_seconds=3600) as server:
        server.until_ready()
        host, port = server.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            head = "POST /pos HTTP/1.1", "Host: x", "Content-Type: application/json", "Content-Length: 9"
            slow.sendall("\r\n".join((*head, "", "{")).encode())
            time.sleep(0.5)
            os.kill(server.process.pid, signal.SIGINT)
            assert server.process.wait(25) == 0  # the default is 30 seconds
        until(lambda: not server.relatives())
