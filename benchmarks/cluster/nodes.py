"""Ray nodes as processes on this machine, on loopback, with their own ports and token."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
APPLICATION = "omninet"
START_S, READY_S = 60.0, 180.0
POLL_S = 0.25
STORE_BYTES = 200 * 2**20
PR_SET_PDEATHSIG = 1  # of prctl(2)
LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Node:
    """A Ray node.

    Attributes:
        port: of its HTTP proxy, if it runs one.
    """

    process: subprocess.Popen[bytes]
    port: int

    def kill(self) -> None:
        """Kill the node and all of its processes without shutdown, like a power failure."""
        top = psutil.Process(self.process.pid)
        for process in (top, *top.children(recursive=True)):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()

    def pids(self) -> set[int]:
        """Return the ids of all its processes."""
        top = psutil.Process(self.process.pid)
        return {process.pid for process in (top, *top.children(recursive=True))}


class Nodes:
    """A Ray cluster with a head, further nodes, and an application; the context stops everything.

    Args:
        cpus: CPUs per node as Ray's resource, independent of the number of cores.
    """

    def __init__(self, cpus: int = 8) -> None:
        self._cpus = cpus
        self._folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short, since the length of socket paths is limited
        self._gcs, self._dashboard = free_ports(2)
        self._token = secrets.token_hex(32)
        self.nodes: list[Node] = []

    def __enter__(self) -> Nodes:
        head = ["--head", f"--port={self._gcs}", f"--temp-dir={self._folder}", "--dashboard-host=127.0.0.1"]
        try:
            self._start([*head, f"--dashboard-port={self._dashboard}"])
            _wait_for(lambda: self._ask("/api/serve/applications/") is not None, START_S, "Ray's dashboard")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def add(self) -> Node:
        """Start a further node."""
        return self._start([f"--address=127.0.0.1:{self._gcs}"])

    def deploy(self, config: Mapping[str, Any], seconds: float = READY_S) -> float:
        """Deploy an application like ``serve deploy``; return the seconds until all of it runs.

        Raises:
            RuntimeError: the deployment failed or timed out.
        """
        started = time.monotonic()
        options = {"host": "127.0.0.1", "port": self.nodes[0].port}
        self._ask("/api/serve/applications/", {**config, "http_options": options})
        time.sleep(POLL_S)
        self.wait(lambda status: status["status"] == "RUNNING", seconds, "the application")
        return time.monotonic() - started

    def status(self) -> dict[str, Any]:
        """Return Ray's status of the application."""
        found: dict[str, Any] = self._ask("/api/serve/applications/")["applications"][APPLICATION]
        return found

    def replicas(self, node: Node | None = None) -> Counter[str]:
        """Return the number of running replicas of each deployment, on one node or on all."""
        pids = node.pids() if node else None
        deployments = self.status()["deployments"]
        return Counter(
            name
            for name, deployment in deployments.items()
            for replica in deployment["replicas"]
            if replica["state"] == "RUNNING" and (pids is None or replica["pid"] in pids)
        )

    def wait(self, holds: Callable[[dict[str, Any]], bool], seconds: float, what: str) -> None:
        """Wait until the application's status fulfils a condition.

        Raises:
            RuntimeError: the deployment failed or the wait timed out.
        """

        def look() -> bool:
            status = self.status()
            if status["status"] == "DEPLOY_FAILED":
                raise RuntimeError(f"{what}: {status['message']}")
            return holds(status)

        _wait_for(look, seconds, what)

    def memory(self) -> int:
        """Return the proportional set size of all processes in bytes, which counts shared memory once."""
        tops = [psutil.Process(node.process.pid) for node in self.nodes if node.process.poll() is None]
        total = 0
        for process in [each for top in tops for each in (top, *top.children(recursive=True))]:
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue
        return total

    def log(self) -> str:
        """Return the last lines of every replica's log, for debugging."""
        found = sorted(self._folder.glob("session_latest/logs/**/*replica*.log"))
        return "\n".join(f"{path.name}: {path.read_text()[-1000:]}" for path in found)

    def _start(self, options: Sequence[str]) -> Node:
        port, agent = free_ports(2)
        command = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"),
            *(f"--num-cpus={self._cpus}", f"--object-store-memory={STORE_BYTES}", "--node-ip-address=127.0.0.1"),
            *(f"--dashboard-agent-listen-port={agent}", *options),
        ]
        with (self._folder / f"node-{len(self.nodes)}.log").open("wb") as log:
            environment = self._environment(port)
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509
            )
        self.nodes.append(Node(process, port))
        return self.nodes[-1]

    def _environment(self, port: int) -> dict[str, str]:
        lines = (ROOT / "docker" / "ray" / "ray.env").read_text(encoding="utf-8").splitlines()
        settings = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        return (
            os.environ
            | settings
            | {
                "PYTHONPATH": str(ROOT),
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": self._token,
                "RAY_SERVE_WORKER_PROXY_HTTP_PORT": str(port),
                "OMP_WAIT_POLICY": "PASSIVE",
            }
        )

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request to the dashboard; return its JSON, or None if the dashboard does not respond yet."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._dashboard}{path}",
            method="PUT" if body else "GET",
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or "{}")
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from error
        except OSError:
            return None

    def _end(self) -> None:
        for node in reversed(self.nodes):
            if node.process.poll() is None:
                node.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def _end_with_parent() -> None:
    """Make Linux send SIGTERM to the node if this process dies; the node then stops its children."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_ports(count: int) -> list[int]:
    """Return free ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_for(holds: Callable[[], bool], seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError(f"{what} was not ready after {seconds:g} seconds: see the nodes' logs")
        time.sleep(POLL_S)
