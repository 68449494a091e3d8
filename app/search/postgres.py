"""An index in PostgreSQL with pgvector, which several servers share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omninet.app.search.conditions import IndexQuery
from omninet.app.search.entries import Added, Entry, Hit, Identity, NewEntry, Vector, folded
from omninet.app.search.index import IndexFullError, IndexUnavailableError, check_identity, check_vector
from omninet.app.search.postgres_fields import likelihood, where
from omninet.app.search.written import Candidates, Wanted, found_in, from_values, likeliest, to_values, wanted_by

if TYPE_CHECKING:
    import psycopg
    from psycopg_pool import ConnectionPool

SCHEMA = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE IF NOT EXISTS omninet_identity (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    model text NOT NULL, exits text[] NOT NULL, width integer NOT NULL
);
CREATE TABLE IF NOT EXISTS omninet_entries (
    seq bigserial PRIMARY KEY,
    id text NOT NULL UNIQUE,
    digest text NOT NULL UNIQUE,
    source text NOT NULL,
    caption text NOT NULL,
    text text NOT NULL,
    entities text[] NOT NULL,
    metadata jsonb NOT NULL,
    folded_text text NOT NULL,
    folded_entities text[] NOT NULL,
    thumbnail bytea NOT NULL
);
CREATE TABLE IF NOT EXISTS omninet_words (
    word text NOT NULL, probability real NOT NULL,
    seq bigint NOT NULL REFERENCES omninet_entries ON DELETE CASCADE, PRIMARY KEY (word, seq)
);
CREATE INDEX IF NOT EXISTS omninet_words_of_entry ON omninet_words (seq);
CREATE INDEX IF NOT EXISTS omninet_metadata ON omninet_entries USING gin (metadata jsonb_path_ops);
CREATE INDEX IF NOT EXISTS omninet_names ON omninet_entries USING gin (folded_entities);
"""
HAS_WORDS = "SELECT 1 FROM pg_attribute WHERE attrelid = 'omninet_entries'::regclass AND attname = 'words'"
SCHEMA_LOCK = 7203146  # of the advisory lock under which servers create the tables, chosen at random
FIELDS = "id, digest, source, caption, text, entities, metadata, words"
CONNECTIONS = 4
WAIT_SECONDS, CONNECT_SECONDS, STATEMENT_MS = 5.0, 3, 10_000
# The graph is searched on until enough of its entries meet the conditions, so that rare ones are found.
SETTINGS = f"-c statement_timeout={STATEMENT_MS} -c hnsw.iterative_scan=strict_order -c hnsw.ef_search=100"
PAGE = 512  # rows read at once


class PostgresIndex:
    """Tables in a database; any number of servers may use them at once."""

    def __init__(self, url: str, most_entries: int | None = None, most_bytes: int | None = None) -> None:
        """Connect, and create the tables if they are not there.

        Args:
            url: of the database, ``postgresql://user:password@host:port/name``.
            most_entries, most_bytes: limits of the index; None for no limit.

        Raises:
            IndexUnavailableError: the database cannot be reached, or has no extension ``vector``.
        """
        from psycopg_pool import ConnectionPool

        self._most_entries, self._most_bytes = most_entries, most_bytes
        options = {"options": SETTINGS, "connect_timeout": CONNECT_SECONDS}
        self._pool: ConnectionPool[psycopg.Connection[tuple[Any, ...]]] = ConnectionPool(
            url,
            min_size=0,
            max_size=CONNECTIONS,
            timeout=WAIT_SECONDS,
            kwargs=options,
            check=ConnectionPool.check_connection,
            open=True,
        )
        with self._connection() as database:
            database.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            database.execute(SCHEMA)
            if not database.execute(HAS_WORDS).fetchone():  # asked first, since changing a table waits for its readers
                database.execute("ALTER TABLE omninet_entries ADD COLUMN words jsonb NOT NULL DEFAULT '[]'")

    def identity(self) -> Identity | None:
        """Return what the vectors are of; None for an index that never had an entry."""
        with self._connection() as database:
            return _identity(database)

    def count(self) -> int:
        """Return the number of entries."""
        with self._connection() as database:
            return _count(database)

    def add(self, entries: Sequence[NewEntry], identity: Identity) -> list[Added]:
        """Add entries; when this returns, they survive a crash.

        Raises:
            IndexFullError: there is no room; no entry was added.
            IndexMismatchError: the index has vectors of another identity.
        """
        with self._connection() as database:
            _claim(database, identity)
            self._check_room(database, len(entries))
            return [_add(database, each, identity) for each in entries]

    def get(self, name: str) -> Entry | None:
        """Return the entry of an id."""
        return self._first("id", name)

    def find(self, digest: str) -> Entry | None:
        """Return the entry of a content's digest."""
        return self._first("digest", digest)

    def thumbnail(self, name: str) -> bytes | None:
        """Return the thumbnail of the entry of an id, a JPEG file."""
        with self._connection() as database:
            row = database.execute("SELECT thumbnail FROM omninet_entries WHERE id = %s", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def remove(self, names: Sequence[str]) -> int:
        """Remove everything that is kept of the entries of these ids; return how many there were."""
        with self._connection() as database:
            return database.execute("DELETE FROM omninet_entries WHERE id = ANY(%s)", (list(names),)).rowcount

    def search(self, query: IndexQuery) -> list[Hit]:
        """Return the best hits, the best first.

        Raises:
            IndexMismatchError: the index has no vectors of the query's exit or width.
        """
        with self._connection() as database:
            sought = wanted_by(query.contains, partial(_known, database))
            requirements, values = where(query, sought)
            if query.vector is None:
                first, more = likelihood(sought) if sought else ("seq", [])
                ordered = f"{requirements} ORDER BY {first} DESC, seq DESC LIMIT %s"
                statement = f"SELECT {FIELDS} FROM omninet_entries WHERE {ordered}"
                rows = database.execute(statement, (*values, *more, query.limit))
                return [_hit(row, None, sought) for row in rows]
            identity = _identity(database)
            if identity is None:
                return []
            check_vector(query, identity)
            column, vector = f"vector_{query.exit}", _text(query.vector)
            statement = (
                f"SELECT {FIELDS}, -({column} <#> %s::vector) FROM omninet_entries WHERE {requirements} "
                f"ORDER BY {column} <#> %s::vector LIMIT %s"
            )
            rows = database.execute(statement, (vector, *values, vector, query.limit))
            return [_hit(row[:-1], float(row[-1]), sought) for row in rows]

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, in the order in which they were added."""
        after = 0
        while True:
            statement = f"SELECT seq, {FIELDS} FROM omninet_entries WHERE seq > %s ORDER BY seq LIMIT {PAGE}"
            with self._connection() as database:
                rows = database.execute(statement, (after,)).fetchall()
            if not rows:
                return
            yield from (_entry(row[1:]) for row in rows)
            after = rows[-1][0]

    def size(self) -> int:
        """Return the bytes that the index takes on disk."""
        with self._connection() as database:
            return _size(database)

    def snapshot(self, target: Path) -> None:
        """Refuse: a database has tools of its own for this.

        Raises:
            IndexUnavailableError: always; the message names the tool.
        """
        raise IndexUnavailableError(f"{target} was not written: use pg_dump for an index in PostgreSQL")

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def _first(self, column: str, value: str) -> Entry | None:
        with self._connection() as database:
            statement = f"SELECT {FIELDS} FROM omninet_entries WHERE {column} = %s"
            row = database.execute(statement, (value,)).fetchone()
        return _entry(row) if row else None

    def _check_room(self, database: psycopg.Connection[tuple[Any, ...]], more: int) -> None:
        if self._most_entries is not None and _count(database) + more > self._most_entries:
            raise IndexFullError(f"the index may have at most {self._most_entries:,} entries")
        if self._most_bytes is not None and _size(database) > self._most_bytes:
            raise IndexFullError(f"the index may take at most {self._most_bytes:,} bytes on disk")

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Borrow a connection for one transaction."""
        import psycopg
        from psycopg_pool import PoolTimeout

        try:
            with self._pool.connection() as connection:
                yield connection
        except psycopg.errors.DiskFull as error:
            raise IndexFullError("there is no room left on the disk of the database of the index") from error
        except (psycopg.Error, PoolTimeout) as error:
            raise IndexUnavailableError(f"the database of the index cannot be used: {error}") from error


def _claim(database: psycopg.Connection[tuple[Any, ...]], identity: Identity) -> None:
    """Check what the vectors are of; the first entry decides it, and makes their columns."""
    known = _identity(database)
    if known is None:
        database.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
        known = _identity(database)
    if known is None:
        for name in identity.exits:
            column = f"vector_{name}"
            database.execute(f"ALTER TABLE omninet_entries ADD {column} vector({identity.width}) NOT NULL")
            database.execute(f"CREATE INDEX ON omninet_entries USING hnsw ({column} vector_ip_ops)")
        values = (identity.model, list(identity.exits), identity.width)
        database.execute("INSERT INTO omninet_identity (model, exits, width) VALUES (%s, %s, %s)", values)
    else:
        check_identity(known, identity)


def _identity(database: psycopg.Connection[tuple[Any, ...]]) -> Identity | None:
    row = database.execute("SELECT model, exits, width FROM omninet_identity").fetchone()
    return Identity(row[0], tuple(row[1]), row[2]) if row else None


def _count(database: psycopg.Connection[tuple[Any, ...]]) -> int:
    row = database.execute("SELECT count(*) FROM omninet_entries").fetchone()
    return int(row[0]) if row else 0


def _size(database: psycopg.Connection[tuple[Any, ...]]) -> int:
    sizes = "pg_total_relation_size('omninet_entries') + pg_total_relation_size('omninet_words')"
    row = database.execute(f"SELECT {sizes}").fetchone()
    return int(row[0]) if row else 0


def _add(database: psycopg.Connection[tuple[Any, ...]], new: NewEntry, identity: Identity) -> Added:
    entry = new.entry
    columns = (
        *FIELDS.split(", "),
        "folded_text",
        "folded_entities",
        "thumbnail",
        *(f"vector_{n}" for n in identity.exits),
    )
    values = (
        *(entry.id, entry.digest, entry.source, entry.caption, entry.text, list(entry.entities)),
        *(json.dumps(dict(entry.metadata)), json.dumps(to_values(entry.words))),
        *(folded(entry.text), [folded(name) for name in entry.entities]),
        *(new.thumbnail, *(_text(new.vectors[name]) for name in identity.exits)),
    )
    replaced = database.execute(
        "DELETE FROM omninet_entries WHERE id = %s AND digest <> %s", (entry.id, entry.digest)
    ).rowcount
    # Another server may add the same picture at the same time.
    row = database.execute(
        f"INSERT INTO omninet_entries ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(values))}) "
        "ON CONFLICT (digest) DO NOTHING RETURNING seq",
        values,
    ).fetchone()
    if row:
        for word, probability in likeliest(entry.words).items():
            database.execute("INSERT INTO omninet_words VALUES (%s, %s, %s)", (word, probability, row[0]))
        return Added(entry.id, created=not replaced)
    found = database.execute("SELECT id FROM omninet_entries WHERE digest = %s", (entry.digest,)).fetchone()
    return Added(found[0] if found else entry.id, created=False)


def _known(database: psycopg.Connection[tuple[Any, ...]], wanted: Candidates) -> list[str]:
    """Return all written words that are candidates."""
    has_part = " OR ".join("strpos(word, %s) > 0" for _ in wanted.parts)
    statement = f"SELECT DISTINCT word FROM omninet_words WHERE length(word) BETWEEN %s AND %s AND ({has_part})"
    return [row[0] for row in database.execute(statement, (wanted.least, wanted.most, *wanted.parts))]


def _hit(row: Sequence[Any], score: float | None, sought: Wanted | None) -> Hit:
    entry = _entry(row)
    return Hit(entry, score, found_in(entry, sought) if sought else ())


def _entry(row: Sequence[Any]) -> Entry:
    name, digest, source, caption, text, entities, metadata, words = row
    return Entry(name, digest, source, caption, text, tuple(entities), metadata, from_values(words))


def _text(vector: Vector) -> str:
    """Return a vector as pgvector reads it."""
    return f"[{','.join(map(str, vector.tolist()))}]"
