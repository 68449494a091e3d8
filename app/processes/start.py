"""How processes of the service are started."""

from __future__ import annotations

from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path

PRELOADED = [
    "omninet.app.media.sandbox",
    "omninet.app.local.process_host",
    "omninet.app.processes.preload",
    "nltk.tokenize",
]
MEDIA, MODEL = "omninet-media", "omninet-model"


def call_this(name: str) -> None:
    """Give this process a name that ``ps`` and ``top`` show."""
    Path("/proc/self/comm").write_text(name, encoding="ascii")


def prepare() -> None:
    """Let processes be started sooner later on: what they need is imported while this one goes on."""
    context()
    forkserver.ensure_running()


def context() -> ForkServerContext:
    """A server from which processes are forked quickly: it has imported what they need, and has no threads."""
    found = get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    return found
