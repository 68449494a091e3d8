"""A server of the bundled model as a child process, with measurements of its resources."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from omninet.app.processes.start import MEDIA, MODEL

READY_SECONDS = 120
QUIET_SECONDS = 60


@dataclass(frozen=True)
class Usage:
    """Resources in use by the processes of a server.

    Attributes:
        memory: proportional set size of anonymous and shared memory in MB; excludes the pages of libraries, whose
            share depends on the other processes of the machine.
        threads, descriptors, connections: numbers of the process that listens.
        processes: number of processes.
    """

    memory: float
    threads: int
    descriptors: int
    connections: int
    processes: int


class Server:
    """A running ``omninet serve``.

    Args:
        address: URL of the server.
        process: main process.
    """

    def __init__(self, address: str, process: psutil.Process) -> None:
        self.address = address
        self.process = process

    def tree(self) -> list[psutil.Process]:
        """Return all processes of the server."""
        return [self.process, *self.process.children(recursive=True)]

    def media_processes(self) -> list[psutil.Process]:
        """Return the media processes."""
        return [each for each in self.tree() if each.name() == MEDIA]

    def model_process(self) -> psutil.Process:
        """Return the model process."""
        (found,) = [each for each in self.tree() if each.name() == MODEL]
        return found

    def usage(self) -> Usage:
        """Measure the resources in use."""
        memory, tree = 0.0, self.tree()
        for each in tree:
            with suppress(OSError):
                memory += _written(each.pid)
        connections = [each for each in self.process.net_connections() if each.status == psutil.CONN_ESTABLISHED]
        return Usage(memory, self.process.num_threads(), self.process.num_fds(), len(connections), len(tree))

    def metrics(self) -> Mapping[str, float]:
        """Return the metrics of ``/metrics`` summed over labels; 0 for missing ones."""
        found: dict[str, float] = defaultdict(float)
        for family in text_string_to_metric_families(httpx.get(f"{self.address}/metrics", timeout=60).text):
            for sample in family.samples:
                found[sample.name] += sample.value
        return found

    def is_quiet(self) -> bool:
        """Return whether the queue is empty and the decoder has made no step for half a second."""
        before = self.metrics()
        time.sleep(0.5)
        after = self.metrics()
        steps = "omninet_decoder_steps_total"
        return after["omninet_waiting_rows"] == after["omninet_waiting_bytes"] == 0 and before[steps] == after[steps]

    def settle(self) -> None:
        """Wait until the server is idle."""
        until = time.monotonic() + QUIET_SECONDS
        while not self.is_quiet():
            assert time.monotonic() < until, f"still at work after {QUIET_SECONDS} s without requests"


@contextmanager
def serving(log: Path, **settings: object) -> Iterator[Server]:
    """Run a server on a free port; yield it when it is ready, and kill it with all its processes at the end.

    Args:
        log: file for its output.
        settings: fields of ``omninet.app.settings.Settings``.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMNINET_")}
    environment |= {f"OMNINET_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "omninet", "serve", "--port", "0"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, env=environment) as popen:
        server = Server("", psutil.Process(popen.pid))
        try:
            server.address = _address(popen, log)
            yield server
        finally:
            tree = server.tree() if server.process.is_running() else []
            popen.kill()
            psutil.wait_procs(tree, 10)


def _written(pid: int) -> float:
    """Return the anonymous memory of a process in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    sizes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    return (sizes["Pss_Anon:"] + sizes["Pss_Shmem:"]) * 1024 / 1e6


def _address(popen: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and popen.poll() is None:
        with suppress(httpx.TransportError, StopIteration):
            lines = log.read_text(encoding="utf-8").splitlines()
            address = next(line.split()[-1] for line in lines if line.startswith("OmniNet listens on"))
            if httpx.get(f"{address}/readyz", timeout=5).status_code == 200:
                return address
        time.sleep(0.1)
    raise AssertionError(f"the server was not ready within {READY_SECONDS} s:\n{log.read_text(encoding='utf-8')}")
