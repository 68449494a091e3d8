"""Start of model processes from a fork server that has imported torch, which saves each of them seconds of imports."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import forkserver, popen_forkserver
from multiprocessing.process import BaseProcess
from types import FunctionType, SimpleNamespace
from typing import Any

from omninet.app.processes.start import SERVICE_SIGNALS

# Another one than that of the media processes, which must not import torch.
_SERVER = forkserver.ForkServer()
_SERVER.set_forkserver_preload(["omninet.app.local.process_host"])
_NAMES = SimpleNamespace(
    connect_to_new_process=_SERVER.connect_to_new_process,
    read_signed=forkserver.read_signed,
)


class _Popen(popen_forkserver.Popen):
    # The method of the library, which finds this fork server under the name of the library's own.
    _launch = FunctionType(
        vars(popen_forkserver.Popen)["_launch"].__code__, vars(popen_forkserver) | {"forkserver": _NAMES}
    )


class _Process(BaseProcess):
    _start_method = "forkserver"

    @staticmethod
    def _Popen(process: BaseProcess) -> Any:  # noqa: N802 - the name of the library
        return _Popen(process)


def spawn(name: str, work: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Run a function in a process that has imported torch; replaces ``omninet.app.processes.start.spawn``."""
    process = _Process(target=_run, args=(dict(os.environ), work, *arguments), name=name, daemon=True)
    process.start()
    return process


def _run(environment: dict[str, str], work: Callable[..., None], *arguments: Any) -> None:
    os.environ.clear()  # those of the fork server
    os.environ.update(environment)
    signal.pthread_sigmask(signal.SIG_BLOCK, SERVICE_SIGNALS)
    work(*arguments)
