"""Start of child processes by multiprocessing's fork server."""

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
    """Set the name of this process in ``ps`` and ``top``; at most 15 bytes."""
    Path("/proc/self/comm").write_text(name, encoding="ascii")


def prepare() -> None:
    """Start the fork server early, so that it imports the preloaded modules while this process continues."""
    context()
    forkserver.ensure_running()


def context() -> ForkServerContext:
    """Return the multiprocessing context of the fork server.

    It has preloaded the modules that child processes need and runs no threads, so forking is fast and safe.
    """
    found = get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    return found
