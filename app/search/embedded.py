"""An index in a folder of this machine: records in SQLite, and an engine of vectors that is made from them."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from omninet.app.search.conditions import IndexQuery
from omninet.app.search.edge import EdgeEngine, discard
from omninet.app.search.engine import VectorEngine
from omninet.app.search.entries import Added, Entry, Hit, Identity, NewEntry
from omninet.app.search.exact import ExactEngine
from omninet.app.search.index import (
    IndexFullError,
    IndexInUseError,
    IndexUnavailableError,
    check_identity,
    check_vector,
)
from omninet.app.search.store import EntryStore, StoredMatching
from omninet.app.search.written import Wanted, found_in

LOG = logging.getLogger(__name__)
RECORDS, ENGINE, LOCK = "records.sqlite", "edge", "owner.lock"
RESERVE = 64 * 2**20  # bytes that must be left on the disk after entries are added
GROWTH = 8  # bytes on disk, at most, for each byte of an entry's vectors, thumbnail and texts
FLUSHED = 2_000  # entries added or removed between two flushes of the engine

MakeEngine = Callable[[Path, Identity], VectorEngine]


class EmbeddedIndex:
    """The index of a folder, of which this process is the only owner."""

    def __init__(
        self,
        folder: Path,
        most_entries: int | None = None,
        most_bytes: int | None = None,
        make_engine: MakeEngine | None = None,
    ) -> None:
        """Open the index of a folder, or create it.

        Args:
            most_entries, most_bytes: limits of the index; None for no limit.
            make_engine: makes the engine of a folder; by default Qdrant Edge if it is installed, else numpy.

        Raises:
            IndexInUseError: another process owns the index.
            IndexUnavailableError: the folder cannot be used.
        """
        self.folder = folder
        self._most_entries, self._most_bytes = most_entries, most_bytes
        self._make_engine = make_engine or default_engine
        self._writes = threading.Lock()
        self._unflushed = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
        except OSError as error:
            raise IndexUnavailableError(f"the index {folder} cannot be used: {error}") from error
        try:
            self._store = EntryStore(folder / RECORDS)
            identity = self._store.identity()
            self._engine = self._open_engine(identity) if identity else None
        except BaseException:
            self._lock.close()
            raise

    def identity(self) -> Identity | None:
        """Return what the vectors are of; None for an index that never had an entry."""
        return self._store.identity()

    def count(self) -> int:
        """Return the number of entries."""
        return self._store.count()

    def add(self, entries: Sequence[NewEntry], identity: Identity) -> list[Added]:
        """Add entries; when this returns, they survive a crash.

        Raises:
            IndexFullError: there is no room; no entry was added.
            IndexMismatchError: the index has vectors of another identity.
        """
        with self._writes:
            engine = self._engine_of(identity)
            self._check_room(entries)
            last = self._store.last()
            added, replaced = self._store.add(entries, identity)
            with self._changing(engine, len(entries)):
                engine.drop(replaced)
                for rows in self._store.rows(last, identity):
                    engine.put(rows)
        return added

    def get(self, name: str) -> Entry | None:
        """Return the entry of an id."""
        return self._store.get(name)

    def find(self, digest: str) -> Entry | None:
        """Return the entry of a content's digest."""
        return self._store.find(digest)

    def thumbnail(self, name: str) -> bytes | None:
        """Return the thumbnail of the entry of an id, a JPEG file."""
        return self._store.thumbnail(name)

    def remove(self, names: Sequence[str]) -> int:
        """Remove everything that is kept of the entries of these ids; return how many there were."""
        with self._writes:
            removed = self._store.remove(names)
            if self._engine:
                with self._changing(self._engine, len(removed)):
                    self._engine.drop(removed)
        return len(removed)

    def search(self, query: IndexQuery) -> list[Hit]:
        """Return the best hits, the best first; an empty index has none.

        Raises:
            IndexMismatchError: the index has no vectors of the query's exit or width.
        """
        sought = self._store.wanted(query.contains)
        if query.vector is None:
            found: list[tuple[int, float | None]] = [(seq, None) for seq in self._store.latest(query, sought)]
        else:
            found = [*self._nearest(query, sought)]
        entries = self._store.of([seq for seq, _ in found])
        # An entry may have been removed since the engine found it.
        kept = [(entries[seq], score) for seq, score in found if seq in entries]
        return [Hit(entry, score, found_in(entry, sought) if sought else ()) for entry, score in kept]

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, in the order in which they were added."""
        return self._store.entries()

    def size(self) -> int:
        """Return the bytes that the index takes on disk."""
        return sum(path.stat().st_blocks * 512 for path in self.folder.rglob("*") if path.is_file())

    def snapshot(self, target: Path) -> None:
        """Write a copy of the whole index to a file, while it is in use; ``restore`` makes an index of it."""
        self._store.copy(target)

    def close(self) -> None:
        """Close the index; everything is on disk."""
        with self._writes:
            if self._engine:
                self._flush(self._engine)
                self._engine.close()
            self._store.close()
            self._lock.close()

    def _nearest(self, query: IndexQuery, sought: Wanted | None) -> list[tuple[int, float]]:
        identity = self._store.identity()
        if identity is None:
            return []
        check_vector(query, identity)
        engine = self._engine
        if engine is None:  # it failed and is opened again
            with self._writes:
                engine = self._engine_of(identity)
        return engine.search(query, StoredMatching(self._store, query, sought) if query.is_filtered else None)

    def _engine_of(self, identity: Identity) -> VectorEngine:
        """Return the engine; the first entry decides what its vectors are of."""
        known = self._store.identity()
        if known is None:
            self._store.set_identity(identity)
        else:
            check_identity(known, identity)
        if self._engine is None:
            self._engine = self._open_engine(identity)
        return self._engine

    def _open_engine(self, identity: Identity) -> VectorEngine:
        """Open the engine and bring it up to the records; a damaged one is made anew."""
        folder = self.folder / ENGINE
        try:
            return self._caught_up(self._make_engine(folder, identity), identity)
        except Exception as error:
            LOG.warning("the engine of the index %s is damaged and made anew: %s", self.folder, error)
        discard(folder)
        self._store.keep(0)
        return self._caught_up(self._make_engine(folder, identity), identity)

    def _caught_up(self, engine: VectorEngine, identity: Identity) -> VectorEngine:
        """Add to an engine what it may have lost, or never had."""
        engine.drop(self._store.removed())
        for rows in self._store.rows(self._store.kept() if engine.is_persistent else 0, identity):
            engine.put(rows)
        self._flush(engine)
        return engine

    @contextmanager
    def _changing(self, engine: VectorEngine, changed: int) -> Iterator[None]:
        """Change an engine after the records, and flush it if that is due.

        An engine that fails is opened again by the next call, and brought up to the records then.

        Raises:
            IndexUnavailableError: the engine failed.
        """
        try:
            yield
            self._unflushed += changed
            if self._unflushed >= FLUSHED:
                self._flush(engine)
        except Exception as error:
            self._engine = None
            with suppress(Exception):
                engine.close()
            raise IndexUnavailableError(f"the engine of the index {self.folder} failed: {error}") from error

    def _flush(self, engine: VectorEngine) -> None:
        engine.flush()
        self._store.keep(self._store.last())
        self._unflushed = 0

    def _check_room(self, entries: Sequence[NewEntry]) -> None:
        count = self._store.count() + len(entries)
        if self._most_entries is not None and count > self._most_entries:
            raise IndexFullError(f"the index may have at most {self._most_entries:,} entries")
        needed = GROWTH * sum(_bytes(each) for each in entries)
        if self._most_bytes is not None and self.size() + needed > self._most_bytes:
            raise IndexFullError(f"the index may take at most {self._most_bytes:,} bytes on disk")
        state = os.statvfs(self.folder)
        if state.f_bavail * state.f_frsize < RESERVE + needed:
            raise IndexFullError(f"there is no room left on the disk of the index {self.folder}")


def default_engine(folder: Path, identity: Identity) -> VectorEngine:
    """Return Qdrant Edge if it is installed, else numpy."""
    return EdgeEngine(folder, identity) if find_spec("qdrant_edge") else ExactEngine(identity)


def restore(snapshot: Path, folder: Path) -> None:
    """Make an index of a snapshot in a folder that has none.

    Raises:
        IndexInUseError: the folder has an index.
        IndexUnavailableError: the snapshot cannot be read.
    """
    if (folder / RECORDS).exists():
        raise IndexInUseError(f"{folder} has an index already; give another folder, or remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{RECORDS}.part"
        part.write_bytes(snapshot.read_bytes())
        found = EntryStore(part)
        found.count()
        found.keep(0)  # the engine is made anew
        found.close()
        part.rename(folder / RECORDS)
    except OSError as error:
        raise IndexUnavailableError(f"{snapshot} cannot be restored: {error}") from error


def _bytes(new: NewEntry) -> int:
    about = (new.entry.metadata, new.entry.words)
    texts = (new.entry.text, new.entry.caption, new.entry.source, *map(str, about))
    return len(new.thumbnail) + sum(v.nbytes for v in new.vectors.values()) + sum(len(text.encode()) for text in texts)


def _lock(folder: Path) -> IO[str]:
    """Lock the folder until the file is closed, or this process ends.

    Raises:
        IndexInUseError: another process has the lock.
    """
    file = (folder / LOCK).open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "another process"
        file.close()
        raise IndexInUseError(f"the index {folder} is in use by process {owner}") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
