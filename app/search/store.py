"""SQLite file of an embedded index: everything that is kept of its entries, their vectors among them.

It is the truth about the index: an engine of vectors is made from it, and made again if it is lost.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omninet.app.search.conditions import IndexQuery
from omninet.app.search.engine import EngineRow
from omninet.app.search.entries import Added, Entry, Identity, NewEntry, folded
from omninet.app.search.fields import fields_of, likelihood, where
from omninet.app.search.index import IndexUnavailableError
from omninet.app.search.sqlite_file import SqliteFile
from omninet.app.search.written import Candidates, Wanted, from_values, likeliest, to_values, wanted_by

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    caption TEXT NOT NULL,
    text TEXT NOT NULL,
    entities TEXT NOT NULL,
    metadata TEXT NOT NULL,
    folded_text TEXT NOT NULL,
    vectors BLOB NOT NULL,
    thumbnail BLOB NOT NULL,
    words TEXT NOT NULL DEFAULT '[]'
);
CREATE TABLE IF NOT EXISTS words (
    word TEXT NOT NULL, seq INTEGER NOT NULL, probability REAL NOT NULL, PRIMARY KEY (word, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS words_of_entry ON words (seq);
CREATE TABLE IF NOT EXISTS fields (
    name TEXT NOT NULL, kind TEXT NOT NULL, value NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (name, kind, value, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fields_of_entry ON fields (seq);
CREATE TABLE IF NOT EXISTS removed (seq INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
ADDED = "ALTER TABLE entries ADD COLUMN words TEXT NOT NULL DEFAULT '[]'"  # to files of version 0.8 and older
FIELDS = "id, digest, source, caption, text, entities, metadata, words"
STORED = np.dtype("<f2")  # of the vectors on disk
BATCH = 512  # rows read at once
MOST_VARIABLES = 500  # in one statement


class EntryStore(SqliteFile):
    """Reads and writes the file; writes are atomic and on disk when a method returns.

    Each thread has its own connection.
    """

    def __init__(self, path: Path) -> None:
        """Open a file, or create it.

        Raises:
            IndexUnavailableError: it cannot be read, or is no such file.
        """
        super().__init__(path)
        try:
            with self._reading() as database:
                database.executescript(SCHEMA)
                if "words" not in {row[1] for row in database.execute("PRAGMA table_info(entries)")}:
                    database.execute(ADDED)
        except IndexUnavailableError:
            self.close()
            raise

    def identity(self) -> Identity | None:
        """Return what the vectors are of; None before the first entry."""
        found = self._fact("identity")
        if found is None:
            return None
        values = json.loads(found)
        return Identity(values["model"], tuple(values["exits"]), values["width"])

    def set_identity(self, identity: Identity) -> None:
        """Store what the vectors are of."""
        values = {"model": identity.model, "exits": identity.exits, "width": identity.width}
        self._set_fact("identity", json.dumps(values))

    def count(self) -> int:
        """Return the number of entries."""
        return int(self._one("SELECT count(*) FROM entries"))

    def last(self) -> int:
        """Return the sequence number of the latest entry; 0 without one."""
        return int(self._one("SELECT coalesce(max(seq), 0) FROM entries"))

    def add(self, entries: Sequence[NewEntry], identity: Identity) -> tuple[list[Added], list[int]]:
        """Add entries in one transaction; see ``Index.add``.

        Returns:
            The result of each, and the sequence numbers of the entries that were replaced.

        Raises:
            IndexFullError: the disk is full; no entry was added.
        """
        replaced: list[int] = []
        with self._writing() as database:
            return [self._add(database, each, identity, replaced) for each in entries], replaced

    def remove(self, names: Sequence[str]) -> list[int]:
        """Remove the entries of these ids; return the sequence numbers of those that there were."""
        with self._writing() as database:
            found = self._seqs(database, names)
            self._forget(database, found)
        with self._reading() as database:  # the log, too, holds what was removed
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return found

    def get(self, name: str) -> Entry | None:
        """Return the entry of an id."""
        return self._first("id", name)

    def find(self, digest: str) -> Entry | None:
        """Return the entry of a content's digest."""
        return self._first("digest", digest)

    def thumbnail(self, name: str) -> bytes | None:
        """Return the thumbnail of the entry of an id."""
        with self._reading() as database:
            row = database.execute("SELECT thumbnail FROM entries WHERE id = ?", (name,)).fetchone()
        return row[0] if row else None

    def of(self, seqs: Sequence[int]) -> dict[int, Entry]:
        """Return sequence number -> entry, of those that exist."""
        found: dict[int, Entry] = {}
        with self._reading() as database:
            for start in range(0, len(seqs), MOST_VARIABLES):
                part = seqs[start : start + MOST_VARIABLES]
                marks = ", ".join("?" * len(part))
                rows = database.execute(f"SELECT seq, {FIELDS} FROM entries WHERE seq IN ({marks})", part)
                found |= {row[0]: _entry(row[1:]) for row in rows}
        return found

    def wanted(self, contains: str) -> Wanted | None:
        """Return what a search for a text, or for something that is written, has to find; None for an empty text."""
        return wanted_by(contains, self._known)

    def matching(
        self, query: IndexQuery, sought: Wanted | None, further: str = "", one_by_one: bool = False
    ) -> list[int]:
        """Return the sequence numbers of the entries that meet a query's requirements besides the vector.

        Args:
            sought: see ``wanted``.
            further: SQL after these requirements.
            one_by_one: look up the fields of each entry; faster if ``further`` leaves only few entries.
        """
        requirements, values = where(query, sought, one_by_one)
        return self._column(f"SELECT seq FROM entries WHERE {requirements}{further}", values)

    def latest(self, query: IndexQuery, sought: Wanted | None) -> list[int]:
        """Return the sequence numbers of the latest entries that meet a query's requirements besides the vector.

        Those that most likely have what is sought come first.
        """
        requirements, values = where(query, sought, one_by_one=False)
        first, more = likelihood(sought) if sought else ("seq", [])
        statement = f"SELECT seq FROM entries WHERE {requirements} ORDER BY {first} DESC, seq DESC LIMIT {query.limit}"
        return self._column(statement, [*values, *more])

    def entries(self) -> Iterator[Entry]:
        """Yield all entries in the order of their sequence numbers, without keeping the file busy."""
        for rows in self._pages(FIELDS, 0):
            yield from (_entry(row[1:]) for row in rows)

    def rows(self, after: int, identity: Identity) -> Iterator[list[EngineRow]]:
        """Yield what an engine knows of all entries after a sequence number, some at a time."""
        shape = (len(identity.exits), identity.width)
        for page in self._pages("vectors", after):
            yield [
                EngineRow(seq, np.frombuffer(vectors, STORED).reshape(shape).astype(np.float32))
                for seq, vectors in page
            ]

    def kept(self) -> int:
        """Return the sequence number up to which the engine of vectors is known to be on disk."""
        return int(self._fact("kept") or 0)

    def keep(self, seq: int) -> None:
        """Note that the engine of vectors is on disk up to a sequence number, and knows of all removals."""
        with self._writing() as database:
            database.execute("DELETE FROM removed")
            database.execute("INSERT OR REPLACE INTO facts VALUES ('kept', ?)", (str(seq),))

    def removed(self) -> list[int]:
        """Return the sequence numbers of entries that were removed since the last ``keep``."""
        with self._reading() as database:
            return [row[0] for row in database.execute("SELECT seq FROM removed")]

    def copy(self, target: Path) -> None:
        """Write a compact copy of the file."""
        with self._reading() as database:
            database.execute("VACUUM INTO ?", (str(target),))

    def _add(self, database: sqlite3.Connection, new: NewEntry, identity: Identity, all_replaced: list[int]) -> Added:
        entry = new.entry
        row = database.execute("SELECT id FROM entries WHERE digest = ?", (entry.digest,)).fetchone()
        if row:
            return Added(row[0], created=False)
        replaced = self._seqs(database, [entry.id])
        self._forget(database, replaced)
        all_replaced += replaced
        vectors = np.stack([new.vectors[name] for name in identity.exits]).astype(STORED).tobytes()
        values = (
            *(entry.id, entry.digest, entry.source, entry.caption, entry.text, _json(entry.entities)),
            *(_json(dict(entry.metadata)), _json(to_values(entry.words)), folded(entry.text), vectors, new.thumbnail),
        )
        columns = f"{FIELDS}, folded_text, vectors, thumbnail"
        marks = ", ".join("?" * len(values))
        seq = database.execute(f"INSERT INTO entries ({columns}) VALUES ({marks})", values).lastrowid
        rows = [(*field, seq) for field in fields_of(entry)]
        database.executemany("INSERT OR IGNORE INTO fields VALUES (?, ?, ?, ?)", rows)
        words = [(word, seq, probability) for word, probability in likeliest(entry.words).items()]
        database.executemany("INSERT INTO words VALUES (?, ?, ?)", words)
        return Added(entry.id, created=not replaced)

    @staticmethod
    def _seqs(database: sqlite3.Connection, names: Sequence[str]) -> list[int]:
        rows = (database.execute("SELECT seq FROM entries WHERE id = ?", (name,)).fetchone() for name in names)
        return [row[0] for row in rows if row]

    @staticmethod
    def _forget(database: sqlite3.Connection, seqs: Iterable[int]) -> None:
        for seq in seqs:
            database.execute("DELETE FROM entries WHERE seq = ?", (seq,))
            database.execute("DELETE FROM fields WHERE seq = ?", (seq,))
            database.execute("DELETE FROM words WHERE seq = ?", (seq,))
            database.execute("INSERT INTO removed VALUES (?)", (seq,))

    def _first(self, column: str, value: str) -> Entry | None:
        with self._reading() as database:
            row = database.execute(f"SELECT {FIELDS} FROM entries WHERE {column} = ?", (value,)).fetchone()
        return _entry(row) if row else None

    def _pages(self, columns: str, after: int) -> Iterator[list[tuple[Any, ...]]]:
        while True:
            with self._reading() as database:
                statement = f"SELECT seq, {columns} FROM entries WHERE seq > ? ORDER BY seq LIMIT {BATCH}"
                rows = database.execute(statement, (after,)).fetchall()
            if not rows:
                return
            yield rows
            after = rows[-1][0]

    def _fact(self, name: str) -> str | None:
        with self._reading() as database:
            row = database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _set_fact(self, name: str, value: str) -> None:
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def _known(self, wanted: Candidates) -> list[str]:
        """Return all written words that are candidates."""
        has_part = " OR ".join("instr(word, ?) > 0" for _ in wanted.parts)
        statement = f"SELECT DISTINCT word FROM words WHERE length(word) BETWEEN ? AND ? AND ({has_part})"
        return self._column(statement, (wanted.least, wanted.most, *wanted.parts))


@dataclass(frozen=True)
class StoredMatching:
    """The entries of a store that meet a query's requirements besides the vector."""

    store: EntryStore
    query: IndexQuery
    sought: Wanted | None

    def all(self) -> list[int]:
        """Return the sequence numbers of all."""
        return self.store.matching(self.query, self.sought)

    def among(self, seqs: Sequence[int]) -> list[int]:
        """Return those of some entries, in any order."""
        among = f" AND seq IN ({', '.join(map(str, map(int, seqs)))})"
        return self.store.matching(self.query, self.sought, among, one_by_one=True)


def _entry(row: Sequence[str]) -> Entry:
    name, digest, source, caption, text, entities, metadata, words = row
    names, read = tuple(json.loads(entities)), from_values(json.loads(words))
    return Entry(name, digest, source, caption, text, names, json.loads(metadata), read)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
