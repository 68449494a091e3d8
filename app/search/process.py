"""Care for the owner process of an index: start, watch and revive it."""

from __future__ import annotations

import logging
import socket
import threading
from multiprocessing.process import BaseProcess
from pathlib import Path

from omninet.app.processes.messages import BlockingConnection, unpack
from omninet.app.processes.start import spawn
from omninet.app.search.index import IndexUnavailableError
from omninet.app.search.owner import RemoteIndex, run_owner

logger = logging.getLogger(__name__)
RETRY_SECONDS = 1.0


class OwnedIndex(RemoteIndex):
    """The index of a folder, owned by a child process that is started again whenever it ends."""

    def __init__(self, folder: Path, most_entries: int | None = None, most_bytes: int | None = None) -> None:
        """Start the owner and wait until it has opened the index.

        Raises:
            IndexInUseError: another process owns the index.
            IndexUnavailableError: the folder cannot be used.
        """
        super().__init__(folder)
        self._limits = (most_entries, most_bytes)
        self._closing = threading.Event()
        self._process, self._control = self._start()
        self._watching = threading.Thread(target=self._watch, name="index", daemon=True)
        self._watching.start()

    @property
    def pid(self) -> int | None:
        """Process id of the owner."""
        return self._process.pid

    def close(self) -> None:
        """Close the index and end its owner."""
        self._closing.set()
        super().close()
        self._control.close()
        self._watching.join()

    def _start(self) -> tuple[BaseProcess, socket.socket]:
        """Start an owner; return it with the socket whose end it waits for."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = spawn("index", run_owner, theirs, self.folder, *self._limits)
            _wait_until_ready(ours, self.folder)
        except BaseException:
            ours.close()
            raise
        return process, ours

    def _watch(self) -> None:
        """Start the owner again whenever it ends, until ``close``."""
        while True:
            self._process.join()
            if self._closing.is_set():
                return
            logger.warning("the owner of the index %s has ended and is started again", self.folder)
            self._control.close()
            while not self._closing.is_set():
                try:
                    self._process, self._control = self._start()
                    break
                except Exception:
                    logger.exception("the owner of the index could not be started; trying again")
                    self._closing.wait(RETRY_SECONDS)


def _wait_until_ready(control: socket.socket, folder: Path) -> None:
    """Wait until an owner has opened its index.

    Raises:
        IndexInUseError, IndexUnavailableError: it cannot.
    """
    try:
        error = unpack(BlockingConnection(control).receive())
    except OSError:
        error = IndexUnavailableError(f"the owner of the index {folder} ended before it was ready")
    if error is not None:
        raise error
