"""Processes started by torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from omninet.training.watch.log import read_log

ROOT = Path(__file__).parents[3]
PATIENCE_S = 120


@contextmanager
def torchrun(*arguments: object, ranks: int = 2) -> Iterator[subprocess.Popen[str]]:
    """Run torchrun; kill all of its ranks afterwards."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    process = subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.communicate()


def output_of(process: subprocess.Popen[str]) -> str:
    """Return the output of the process after its end."""
    return process.communicate(timeout=PATIENCE_S)[0]


def steps_of(folder: Path) -> list[dict[str, Any]]:
    """Return the step records of the log without times."""
    untimed = {"seconds": 0, "waiting": 0}
    return [entry | untimed for entry in read_log(folder / "log.jsonl") if entry["kind"] == "step"]


def messages_of(folder: Path) -> str:
    return "\n".join(entry["text"] for entry in read_log(folder / "log.jsonl") if entry["kind"] == "message")
