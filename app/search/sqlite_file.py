"""Connections to an SQLite file: one for each thread, with writes that are atomic and on disk."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omninet.app.search.index import IndexFullError, IndexUnavailableError

BUSY_SECONDS = 10.0


class SqliteFile:
    """A file of an index; a base class for its tables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def _column(self, statement: str, values: Sequence[str | float]) -> list[Any]:
        """Return the first column of all rows."""
        with self._reading() as database:
            return [row[0] for row in database.execute(statement, values)]

    def _one(self, statement: str) -> int:
        """Return the number in the first row."""
        with self._reading() as database:
            found: int = database.execute(statement).fetchone()[0]
        return found

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Borrow the connection of this thread.

        Raises:
            IndexFullError: the disk is full.
            IndexUnavailableError: the file cannot be read, or is no such file.
        """
        try:
            yield self._connection()
        except sqlite3.Error as error:
            raise _converted(error, self.path) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Borrow the connection of this thread for one transaction; see ``_reading`` for the errors."""
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self.path, BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._connections.append(found)
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = FULL")  # a commit is on disk before it is acknowledged
            found.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten
            self._local.connection = found
        return found


def _converted(error: sqlite3.Error, path: Path) -> IndexFullError | IndexUnavailableError:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return IndexFullError(f"there is no room left on the disk of the index {path.parent}")
    return IndexUnavailableError(f"the index {path.parent} cannot be used: {error}")
