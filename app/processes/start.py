"""How processes of the service are started.

Media workers are forked from a fork server that has imported what decodes, but not torch. The process that has the
model is spawned: it alone imports torch.
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
# The service handles them and tells its processes what to do.
SERVICE_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def call_this(name: str) -> None:
    """Set the name of this process in ``ps`` and ``top``; at most 15 bytes."""
    Path("/proc/self/comm").write_text(name, encoding="ascii")


def prepare() -> None:
    """Start the fork server, which imports what media workers need while this process continues."""
    context()
    forkserver.ensure_running()


def context() -> ForkServerContext:
    """Return the fork server of media workers; it has imported what they need, and has no threads."""
    found = get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    return found


def spawn(name: str, work: Callable[..., None], *arguments: Any) -> SpawnProcess:
    """Start a new interpreter that calls a function of a module; the signals of the service are blocked in it."""
    process = get_context("spawn").Process(target=work, args=arguments, name=name, daemon=True)
    # The child inherits the mask: a Ctrl-C in the terminal must not interrupt its imports.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, SERVICE_SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    return process
