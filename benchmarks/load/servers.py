"""The variants as processes: how each is started, what it takes, how it ends."""

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
STOP_S = 40.0  # longer than the service gives its requests to end


@dataclass(frozen=True)
class Variant:
    """A way to serve the model.

    Attributes:
        key: short name.
        command: of Python; ``--port`` follows.
        environment: beside that of this process.
        ready: path that answers 200 once the model is loaded.
    """

    key: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = "/readyz"


def service(checkpoint: Path | None, key: str = "a", title: str = "this engine", **settings: int) -> Variant:
    """The service of this repository; settings by their names in small letters."""
    command = ("-m", "omninet", "serve", *_chosen(checkpoint))
    return Variant(key, title, command, {f"OMNINET_{name.upper()}": str(value) for name, value in settings.items()})


def locked(checkpoint: Path | None, threads: int) -> Variant:
    """The model behind FastAPI and a lock."""
    command = ("-m", "benchmarks.load.locked", "--threads", str(threads), *_chosen(checkpoint))
    return Variant("c", f"FastAPI with a lock, threads {threads}", command)


def batched(checkpoint: Path | None, threads: int, rows: int) -> Variant:
    """The model behind LitServe."""
    command = ("-m", "benchmarks.load.batched", "--threads", str(threads), "--rows", str(rows), *_chosen(checkpoint))
    return Variant("d", f"LitServe, threads {threads}, batches of {rows}", command, ready="/health")


def _chosen(checkpoint: Path | None) -> tuple[str, ...]:
    return ("--checkpoint", str(checkpoint)) if checkpoint else ()


@dataclass(frozen=True)
class Server:
    """A running variant: its port, and the session that all of its processes are in."""

    port: int
    session: int

    @property
    def address(self) -> str:
        """As URLs begin."""
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> list[Path]:
        """Folders of its living processes under /proc."""
        return [folder for folder in Path("/proc").glob("[0-9]*") if _is_alive(_stat(folder), self.session)]

    def memory_mb(self) -> float:
        """Proportional set size of all its processes: what they share is counted once."""
        return sum(_kilobytes(folder / "smaps_rollup", "Pss") for folder in self.processes()) / 1024

    def cpu_seconds(self) -> float:
        """Time of processors that its living processes have had."""
        return sum(_ticks(folder) for folder in self.processes()) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(variant: Variant) -> Iterator[Server]:
    """A server that is ready; nothing of it is left running afterwards."""
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
    """The most memory that a server has had while this was entered, MB, looked at once a second."""

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
    """What follows a process's name in its ``stat``; nothing if it is gone."""
    with contextlib.suppress(OSError):
        return (folder / "stat").read_text().rpartition(")")[2].split()
    return []


def _is_alive(stat: Sequence[str], session: int) -> bool:
    return bool(stat) and stat[0] != "Z" and int(stat[3]) == session


def _kilobytes(file: Path, name: str) -> int:
    with contextlib.suppress(OSError):
        found = re.search(rf"^{name}:\s+(\d+) kB", file.read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0


def _ticks(folder: Path) -> int:
    stat = _stat(folder)
    return int(stat[11]) + int(stat[12]) if stat else 0
