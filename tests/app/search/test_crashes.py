"""What an embedded index loses when its process is killed, or the disk is full: nothing that was acknowledged."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from omninet.app.search import embedded
from omninet.app.search.conditions import IndexQuery
from omninet.app.search.embedded import RECORDS, EmbeddedIndex
from omninet.app.search.index import IndexFullError, IndexUnavailableError
from omninet.app.search.searching import with_thumbnails
from tests.app.search.entries import IDENTITY, entry, new, unit

ROOT = Path(__file__).parents[3]
# Adds entries from a number on, one at a time, and acknowledges each on its standard output.
ADD = """
import sys
from pathlib import Path
from omninet.app.search.embedded import EmbeddedIndex
from tests.app.search.entries import IDENTITY, new

index = EmbeddedIndex(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 10**9):
    index.add([new(number)], IDENTITY)
    if number % 3 == 2:
        index.remove([new(number - 1).entry.id])
    print(number, flush=True)
"""
KILLS = 8


@pytest.mark.slow
def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    acknowledged = -1
    for kill in range(KILLS):
        command = [sys.executable, "-c", ADD, str(tmp_path / "index"), str(acknowledged + 1)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline()
            time.sleep(0.025 * kill)
            process.kill()
            lines = process.stdout.read().split()
        acknowledged = max([acknowledged + 1, *map(int, lines)])

    index = EmbeddedIndex(tmp_path / "index")
    kept = [number for number in range(acknowledged + 1) if number % 3 != 1]
    for number in kept:
        assert index.get(entry(number).id) == entry(number)
        (hit,) = index.search(IndexQuery(1, "best", unit(number, 1)))
        assert hit.entry == entry(number)
    # The operation that was killed may have been done, though it was not acknowledged.
    assert len(kept) <= index.count() <= len(kept) + 2
    index.close()


@pytest.fixture
def index(tmp_path: Path) -> EmbeddedIndex:
    """An index with one entry."""
    found = EmbeddedIndex(tmp_path / "index")
    found.add([new(0)], IDENTITY)
    return found


def test_a_disk_that_is_almost_full(index: EmbeddedIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(index.folder)
    values: list[Any] = list(real)
    values[4] = embedded.RESERVE // real.f_frsize  # f_bavail
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(values))

    with pytest.raises(IndexFullError, match="there is no room left on the disk of the index"):
        index.add([new(1)], IDENTITY)

    assert index.count() == 1
    monkeypatch.undo()
    assert index.add([new(1)], IDENTITY)[0].created
    index.close()


def test_a_disk_that_becomes_full(index: EmbeddedIndex) -> None:
    connection = index._store._connection()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(IndexFullError, match="there is no room left on the disk of the index"):
        index.add([new(number) for number in range(1, 200)], IDENTITY)

    assert index.count() == 1
    (hit,) = index.search(IndexQuery(5, "best", unit(0, 1)))
    assert hit.entry == entry(0)
    connection.execute("PRAGMA max_page_count = 1000000")
    assert index.add([new(1)], IDENTITY)[0].created
    index.close()


def test_an_engine_that_lost_what_was_not_flushed_is_brought_up_to_date(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_edge")
    index = EmbeddedIndex(tmp_path / "index")
    index.add([new(number) for number in range(10)], IDENTITY)
    index.close()
    with sqlite3.connect(tmp_path / "index" / RECORDS) as connection:  # as if it had been killed
        connection.execute("UPDATE facts SET value = '4' WHERE name = 'kept'")
    again = EmbeddedIndex(tmp_path / "index")

    found = again.search(IndexQuery(20, "best", unit(3, 1)))

    assert len({hit.entry.id for hit in found}) == len(found) == 10
    again.close()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(IndexUnavailableError, match="cannot be used"):
        EmbeddedIndex(tmp_path / "file")
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / RECORDS).write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(IndexUnavailableError, match="cannot be used: file is not a database"):
        EmbeddedIndex(tmp_path / "index")


@pytest.mark.parametrize("method", ["put", "drop", "flush"])
def test_an_engine_that_fails_misses_nothing(
    index: EmbeddedIndex, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no more memory")

    monkeypatch.setattr(embedded, "FLUSHED", 1)
    monkeypatch.setattr(index._engine, method, fail)
    with pytest.raises(IndexUnavailableError, match=r"the engine of the index .* failed: no more memory"):
        index.add([new(1, id="mine")], IDENTITY)

    (hit,) = index.search(IndexQuery(1, "best", unit(1, 1)))

    assert hit.entry == entry(1, id="mine")
    assert index.add([new(1)], IDENTITY)[0].id == "mine"
    index.close()


def test_a_hit_that_was_removed_meanwhile_is_left_out(index: EmbeddedIndex) -> None:
    index.add([new(number) for number in range(1, 4)], IDENTITY)
    hits = index.search(IndexQuery(4, "best", unit(2, 1)))
    index.remove([hits[1].entry.id])

    kept, thumbnails = with_thumbnails(index, hits, 3)

    assert kept == [hits[0], hits[2], hits[3]]
    assert thumbnails == [index.thumbnail(hit.entry.id) for hit in (hits[0], hits[2])]
    index.close()
