"""The process that owns an embedded index, and answers servers and commands over a socket in the index's folder.

Only the user who owns the folder can connect, so messages are pickled.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from omninet.app.processes.messages import BlockingConnection, pack, unpack
from omninet.app.processes.start import SERVICE_SIGNALS, call_this
from omninet.app.search.embedded import EmbeddedIndex
from omninet.app.search.entries import Entry
from omninet.app.search.index import IndexInUseError, IndexUnavailableError
from omninet.model.errors import OmniNetError

logger = logging.getLogger(__name__)
NAME, SOCKET = "omninet-index", "owner.socket"
METHODS = ("identity", "count", "add", "get", "find", "thumbnail", "remove", "search", "size", "snapshot", "page")
PAGE = 256  # entries in one message
WAITING = 64  # connections that are not accepted yet


class IndexServer:
    """Answers requests of any number of connections, each in a thread of its own."""

    def __init__(self, index: EmbeddedIndex) -> None:
        """Listen on the socket of the index's folder."""
        self._index = index
        self._methods = {name: self._page if name == "page" else getattr(index, name) for name in METHODS}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_path(index.folder) as path:
            path.unlink(missing_ok=True)
            self._listener.bind(str(path))
            path.chmod(0o600)
        self._listener.listen(WAITING)

    def serve(self) -> None:
        """Accept connections until ``close``."""
        with suppress(OSError):
            while True:
                end, _ = self._listener.accept()
                threading.Thread(target=self._answer_all, args=(end,), daemon=True).start()

    def close(self) -> None:
        """Accept no more connections, and close the index."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._index.close()

    def _answer_all(self, end: socket.socket) -> None:
        connection = BlockingConnection(end)
        with end, suppress(OSError):
            while True:
                method, arguments = unpack(connection.receive())
                connection.send(pack(self._answer(method, arguments)))

    def _answer(self, method: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        """Return whether a call succeeded, and its result or its error."""
        try:
            return True, self._methods[method](*arguments)
        except OmniNetError as error:
            return False, error
        except Exception as error:
            logger.exception("the index failed on %s", method)
            return False, IndexUnavailableError(f"the index failed: {error}")

    def _page(self, start: int) -> list[Entry]:
        return list(islice(self._index.entries(), start, start + PAGE))


def run_owner(control: socket.socket, folder: Path, most_entries: int | None, most_bytes: int | None) -> None:
    """Run the owner process: open the index, report that it is ready, and serve until the server has gone.

    Args:
        control: socket to the server; its end closes the index.
        most_entries, most_bytes: limits of the index.
    """
    call_this(NAME)
    for number in SERVICE_SIGNALS:  # the server ends this process by closing the socket
        signal.signal(number, signal.SIG_IGN)
    link = BlockingConnection(control)
    try:
        server = IndexServer(EmbeddedIndex(folder, most_entries, most_bytes))
    except OmniNetError as error:
        link.send(pack(error))
        return
    link.send(pack(None))
    threading.Thread(target=server.serve, daemon=True).start()
    with suppress(OSError):
        link.receive()
    server.close()


class RemoteIndex:
    """An index whose owner is another process; each thread has a connection of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._local = threading.local()
        self._ends: list[socket.socket] = []

    def __getattr__(self, method: str) -> Any:
        """Return a method of the index that runs in its owner."""
        if method not in METHODS:
            raise AttributeError(method)
        return lambda *arguments: self._call(method, *arguments)

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, in the order in which they were added."""
        start = 0
        while page := self._call("page", start):
            yield from page
            start += len(page)

    def close(self) -> None:
        """Close the connections; the owner goes on."""
        for end in self._ends:
            end.close()
        self._ends.clear()

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            connection = self._connection()
            connection.send(pack((method, arguments)))
            is_done, found = unpack(connection.receive())
        except OSError as error:
            self._forget()
            raise IndexUnavailableError(f"the owner of the index {self.folder} cannot be reached: {error}") from error
        if not is_done:
            raise found
        return found

    def _connection(self) -> BlockingConnection:
        found: BlockingConnection | None = getattr(self._local, "connection", None)
        if found is None:
            self._local.end = end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._ends.append(end)
            with short_path(self.folder) as path:
                end.connect(str(path))
            found = self._local.connection = BlockingConnection(end)
        return found

    def _forget(self) -> None:
        """Close the connection of this thread; the next call makes another."""
        end, self._local.end, self._local.connection = getattr(self._local, "end", None), None, None
        if end is not None:
            end.close()
            with suppress(ValueError):  # the index has been closed meanwhile
                self._ends.remove(end)


def open_index(folder: Path) -> EmbeddedIndex | RemoteIndex:
    """Open the index of a folder: as its owner, or through the socket of the process that owns it.

    Raises:
        IndexInUseError: another process owns it, but does not answer.
        IndexUnavailableError: the folder cannot be used.
    """
    try:
        return EmbeddedIndex(folder)
    except IndexInUseError:
        remote = RemoteIndex(folder)
        try:
            remote.count()
        except IndexUnavailableError:
            remote.close()
        else:
            return remote
        raise


@contextmanager
def short_path(folder: Path) -> Iterator[Path]:
    """Yield a path of the folder's socket that is short enough for the kernel, however long the folder's own is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield Path(f"/proc/self/fd/{descriptor}") / SOCKET
    finally:
        os.close(descriptor)
