"""Start of child processes.

Media processes are forked from multiprocessing's fork server, which has imported the decoders but not torch. The model
process is spawned: it alone imports torch.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext, SpawnProcess
from pathlib import Path
from typing import Any

PRELOADED = ["omninet.app.media.sandbox"]
MEDIA, MODEL = "omninet-media", "omninet-model"
# Handled by the server, which then sends messages to its processes.
SERVICE_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def call_this(name: str) -> None:
    """Set the name of this process in ``ps`` and ``top``; at most 15 bytes."""
    Path("/proc/self/comm").write_text(name, encoding="ascii")


def prepare() -> None:
    """Start the fork server early, so that it imports the preloaded modules while this process continues."""
    context()
    forkserver.ensure_running()


def context() -> ForkServerContext:
    """Return the multiprocessing context of the fork server.

    It has preloaded the modules that media processes need and runs no threads, so forking is fast and safe.
    """
    found = get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    return found


def spawn(name: str, work: Callable[..., None], *arguments: Any) -> SpawnProcess:
    """Run a function of a module in a new interpreter, with SERVICE_SIGNALS blocked."""
    process = get_context("spawn").Process(target=work, args=arguments, name=name, daemon=True)
    # The child inherits the mask, so Ctrl-C in the terminal does not interrupt its imports.
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, SERVICE_SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    return process
