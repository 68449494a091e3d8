"""Care for the owner process of an index: start, watch and revive it."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

from omninet.app.processes.messages import BlockingConnection, unpack
from omninet.app.processes.start import spawn
from omninet.app.search.index import IndexUnavailableError
from omninet.app.search.owner import RemoteIndex, run_owner

logger = logging.getLogger(__name__)
RETRY_SECONDS = 1.0


class OwnedIndex(RemoteIndex):
    """The index of a folder, owned by a child process that is started again whenever it ends.

    If another process owns the index, that one is asked, and the next owner is the first that tries after its end.
    """

    def __init__(self, folder: Path, most_entries: int | None = None, most_bytes: int | None = None) -> None:
        """Start an owner; return when it is ready, or could not be started."""
        super().__init__(folder)
        self._limits = (most_entries, most_bytes)
        self._process: BaseProcess | None = None
        self._closing, self._tried = threading.Event(), threading.Event()
        self._watching = threading.Thread(target=self._watch, name="index", daemon=True)
        self._watching.start()
        self._tried.wait()

    @property
    def pid(self) -> int | None:
        """Process id of the owner; None if this process has none."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """Close the index and end its owner."""
        self._closing.set()
        super().close()
        with suppress(OSError, AttributeError):  # there is no owner, or it has ended
            self._control.shutdown(socket.SHUT_RDWR)
        self._watching.join()

    def _watch(self) -> None:
        """Keep an owner running until ``close``."""
        said = ""
        while not self._closing.is_set():
            try:
                process, self._control = self._start()
            except Exception as error:
                if str(error) != said:
                    logger.warning("%s; this is tried again until it works", said := str(error))
                self._tried.set()
                self._closing.wait(RETRY_SECONDS)
                continue
            self._process, said = process, ""
            self._tried.set()
            with self._control:
                process.join()
            self._process = None
            if not self._closing.is_set():
                logger.warning("the owner of the index %s has ended and is started again", self.folder)

    def _start(self) -> tuple[BaseProcess, socket.socket]:
        """Start an owner; return it with the socket whose end it waits for.

        Raises:
            IndexInUseError, IndexUnavailableError: it cannot open the index.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = spawn("index", run_owner, theirs, self.folder, *self._limits)
            _wait_until_ready(ours, self.folder)
        except BaseException:
            ours.close()
            raise
        return process, ours


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
