"""Serving variants as processes: start, resource usage and shutdown."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_S = 120.0
STOP_S = 40.0  # longer than the service's shutdown grace period


@dataclass(frozen=True)
class Variant:
    """A way to serve the model.

    Attributes:
        key: short name.
        command: arguments of Python; ``--port`` is appended.
        environment: additional environment variables.
        ready: path that returns 200 once the model is loaded.
    """

    key: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = "/readyz"


def service(checkpoint: Path | None, key: str = "a", title: str = "this engine", **settings: int) -> Variant:
    """Return this repository's service; settings are given by their lower-case names."""
    command = ("-m", "omninet", "serve", *_chosen(checkpoint))
    return Variant(key, title, command, {f"OMNINET_{name.upper()}": str(value) for name, value in settings.items()})


def locked(checkpoint: Path | None, threads: int) -> Variant:
    """Return the baseline with FastAPI and a lock."""
    command = ("-m", "benchmarks.load.locked", "--threads", str(threads), *_chosen(checkpoint))
    return Variant("c", f"FastAPI with a lock, threads {threads}", command)


def batched(checkpoint: Path | None, threads: int, rows: int) -> Variant:
    """Return the baseline with LitServe."""
    command = ("-m", "benchmarks.load.batched", "--threads", str(threads), "--rows", str(rows), *_chosen(checkpoint))
    return Variant("d", f"LitServe, threads {threads}, batches of {rows}", command, ready="/health")


def on_ray(checkpoint: Path | None, threads: int, rows: int) -> Variant:
    """Return the baseline with Ray Serve."""
    command = ("-m", "benchmarks.load.on_ray", "--threads", str(threads), "--rows", str(rows), *_chosen(checkpoint))
    return Variant("e", f"Ray Serve, threads {threads}, batches of {rows}", command)


def _chosen(checkpoint: Path | None) -> tuple[str, ...]:
    return ("--checkpoint", str(checkpoint)) if checkpoint else ()


@dataclass(frozen=True)
class Server:
    """A running variant, with its port and the session id of all its processes."""

    port: int
    session: int

    @property
    def address(self) -> str:
        """Return the base URL."""
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> list[Path]:
        """Return the /proc folders of its running processes."""
        return [folder for folder in Path("/proc").glob("[0-9]*") if _is_alive(_stat(folder), self.session)]

    def memory_mb(self) -> float:
        """Return the proportional set size of all processes, which counts shared memory once."""
        return sum(kilobytes(folder / "smaps_rollup", "Pss") for folder in self.processes()) / 1024

    def cpu_seconds(self) -> float:
        """Return the CPU time of its running processes."""
        return sum(_ticks(folder) for folder in self.processes()) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(variant: Variant) -> Iterator[Server]:
    """Start a server, wait until it is ready, and stop all of its processes afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, *variant.command, "--port", str(port)]
    environment = {**os.environ, **variant.environment}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        server = Server(port, process.pid)
        try:
            _wait(variant, port, process)
            yield server
        finally:
            _end(process, server)


class PeakMemory:
    """Records the peak memory of a server in MB, sampled once per second, while the context is active."""

    def __init__(self, server: Server) -> None:
        self._server, self._over = server, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.mb = 0.0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.mb = max(self.mb, self._server.memory_mb())
            if self._over.wait(1):
                return


def _wait(variant: Variant, port: int, process: subprocess.Popen[bytes]) -> None:
    url = f"http://127.0.0.1:{port}{variant.ready}"
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise SystemExit(f"a server was not ready within {START_S:g} s: {' '.join(variant.command)}")


def _end(process: subprocess.Popen[bytes], server: Server) -> None:
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    while left := server.processes():
        for folder in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(folder.name), signal.SIGKILL)
        time.sleep(0.01)


def _stat(folder: Path) -> list[str]:
    """Return the fields after the process name in ``stat``; empty if the process has ended."""
    with contextlib.suppress(OSError):
        return (folder / "stat").read_text().rpartition(")")[2].split()
    return []


def _is_alive(stat: Sequence[str], session: int) -> bool:
    return bool(stat) and stat[0] != "Z" and int(stat[3]) == session


def kilobytes(file: Path, name: str) -> int:
    """Return a field of a file such as ``smaps_rollup``; 0 if it cannot be read."""
    with contextlib.suppress(OSError):
        found = re.search(rf"^{name}:\s+(\d+) kB", file.read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0


def _ticks(folder: Path) -> int:
    stat = _stat(folder)
    return int(stat[11]) + int(stat[12]) if stat else 0
