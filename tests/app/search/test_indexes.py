"""What every index does, the exact one compared with a plain search and all others with the exact one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omninet.app.search.conditions import Between, Condition, IndexQuery, OneOf
from omninet.app.search.edge import EdgeEngine
from omninet.app.search.embedded import EmbeddedIndex, restore
from omninet.app.search.entries import Added, Entry, Identity
from omninet.app.search.exact import ExactEngine
from omninet.app.search.index import (
    Index,
    IndexFullError,
    IndexInUseError,
    IndexMismatchError,
    IndexUnavailableError,
)
from omninet.app.search.postgres import PostgresIndex
from tests.app.search.conftest import Server
from tests.app.search.entries import IDENTITY, entry, new, unit

COUNT = 300
QUERIES: dict[str, tuple[tuple[Condition, ...], str, str]] = {
    "everything": ((), "", ""),
    "a number": ((OneOf("year", (1995.0,)),), "", ""),
    "a number as text": ((OneOf("year", ("1995",)),), "", ""),
    "one of several types": ((OneOf("size", (2.5, "large")),), "", ""),
    "true is not one": ((OneOf("size", (True,)),), "", ""),
    "one is not true": ((OneOf("size", (1.0,)),), "", ""),
    "an element of a list": ((OneOf("tags", ("red",)),), "", ""),
    "a number in a list": ((OneOf("tags", (7.0,)),), "", ""),
    "limits": ((Between("year", 2000.0, 2004.0),), "", ""),
    "one limit": ((Between("year", None, 1999.5),), "", ""),
    "limits of a list": ((Between("tags", 6.0, None),), "", ""),
    "several fields": ((Between("year", 2000.0, None), OneOf("tags", ("red", "blue"))), "", ""),
    "an object is no value": ((OneOf("place", ("Rome",)),), "", ""),
    "an unknown field": ((OneOf("colour", ("red",)),), "", ""),
    "an entity": ((), "anna", ""),
    "another case": ((), "STRASSE", ""),
    "a part of an entity": ((), "Peter", ""),
    "a part of the text": ((), "", "strasse in 19"),
    "all at once": ((OneOf("tags", ("red", "green")), Between("year", 1995.0, 2010.0)), "Rome", "in 20"),
}
EMBEDDED: dict[str, Callable[[Path], Index]] = {
    "exact": lambda folder: EmbeddedIndex(folder, make_engine=lambda _, identity: ExactEngine(identity)),
    "edge": lambda folder: EmbeddedIndex(folder, make_engine=EdgeEngine),
}
KINDS = [*EMBEDDED, "postgres"]


def opener_of(kind: str, request: pytest.FixtureRequest) -> Callable[[Path], Index]:
    """Return a function that opens the index of a folder, or of a database of this name."""
    if kind == "postgres":
        server: Server = request.getfixturevalue("postgres")
        return lambda folder: PostgresIndex(server.database(folder))
    if kind == "edge":
        pytest.importorskip("qdrant_edge")
    return EMBEDDED[kind]


@pytest.fixture(params=KINDS)
def opener(request: pytest.FixtureRequest) -> Callable[[Path], Index]:
    return opener_of(request.param, request)


@pytest.fixture(params=EMBEDDED)
def embedded(request: pytest.FixtureRequest) -> Callable[[Path], Index]:
    return opener_of(request.param, request)


@pytest.fixture
def index(opener: Callable[[Path], Index], tmp_path: Path) -> Iterator[Index]:
    """An empty index."""
    index = opener(tmp_path / "index")
    yield index
    index.close()


@pytest.fixture(scope="module", params=KINDS)
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """An index with entries, which tests must not change."""
    index = opener_of(request.param, request)(tmp_path_factory.mktemp("full") / "index")
    for start in range(0, COUNT, 50):
        index.add([new(number) for number in range(start, start + 50)], IDENTITY)
    yield index
    index.close()


def meets(found: Entry, condition: Condition) -> bool:
    """Return whether an entry meets a condition, by the plain meaning of the words."""
    value = found.metadata.get(condition.field)
    values = value if isinstance(value, list) else [value]
    if isinstance(condition, OneOf):
        return any(
            each == wanted and isinstance(each, bool) == isinstance(wanted, bool)
            for each in values
            for wanted in condition.values
        )
    return any(
        isinstance(each, int | float)
        and not isinstance(each, bool)
        and (condition.gte is None or each >= condition.gte)
        and (condition.lte is None or each <= condition.lte)
        for each in values
    )


def wanted(query: IndexQuery) -> list[int]:
    """Return the numbers of the entries that a query finds, in order, by the plain meaning of the words."""
    kept = [
        number
        for number in range(COUNT)
        for found in [entry(number)]
        if all(meets(found, condition) for condition in query.conditions)
        and (not query.entity or query.entity.casefold() in [name.casefold() for name in found.entities])
        and query.contains.casefold() in found.text.casefold()
    ]
    if query.vector is None:
        return kept[::-1][: query.limit]
    position = IDENTITY.exits.index(query.exit)
    scores = {number: float(unit(number, position).astype(np.float16) @ query.vector) for number in kept}
    return sorted(kept, key=lambda number: -scores[number])[: query.limit]


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("with_vector", [True, False])
def test_searches(full: Index, name: str, with_vector: bool) -> None:
    conditions, entity, contains = QUERIES[name]
    vector = unit(1, 2, 3) if with_vector else None
    query = IndexQuery(10, "best" if with_vector else "", vector, conditions, entity, contains)

    hits = full.search(query)

    assert [hit.entry for hit in hits] == [entry(number) for number in wanted(query)]
    assert all((hit.score is None) != with_vector for hit in hits)
    assert bool(hits) == (
        name not in {"a number as text", "an object is no value", "an unknown field", "a part of an entity"}
    )


def test_exits_are_searched_apart(full: Index) -> None:
    for position, name in enumerate(IDENTITY.exits):
        (hit,) = full.search(IndexQuery(1, name, unit(42, position)))
        assert hit.entry == entry(42)
        assert hit.score == pytest.approx(1, abs=0.002)


def test_an_empty_index(index: Index) -> None:
    assert index.search(IndexQuery(5, "best", unit(1))) == []
    assert (index.count(), index.identity(), index.get("a"), index.remove(["a"])) == (0, None, None, 0)


def test_an_entry_comes_back(index: Index) -> None:
    given = new(3)

    assert index.add([given], IDENTITY) == [Added(given.entry.id, created=True)]

    assert index.get(given.entry.id) == index.find(given.entry.digest) == given.entry
    assert index.thumbnail(given.entry.id) == given.thumbnail
    assert index.identity() == IDENTITY
    assert list(index.entries()) == [given.entry]
    assert index.size() > 0


def test_the_same_content_is_one_entry(index: Index) -> None:
    index.add([new(3)], IDENTITY)

    again = index.add([new(3), new(3, id="another")], IDENTITY)

    assert again == [Added(entry(3).id, created=False)] * 2
    assert index.count() == 1


def test_another_content_of_an_id_replaces_the_entry(index: Index) -> None:
    index.add([new(3, id="mine")], IDENTITY)

    assert index.add([new(4, id="mine")], IDENTITY) == [Added("mine", created=False)]

    assert index.get("mine") == entry(4, id="mine")
    assert [hit.entry for hit in index.search(IndexQuery(5, "best", unit(3, 1)))] == [entry(4, id="mine")]


def test_nothing_of_a_removed_entry_stays_on_disk(embedded: Callable[[Path], Index], tmp_path: Path) -> None:
    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in (tmp_path / "index").rglob("*") if path.is_file())

    index = embedded(tmp_path / "index")
    secrets = {"text": "secret text", "source": "secret source", "metadata": {"key": "secret metadata"}}
    removed = new(99, **secrets)
    kept = removed.vectors["best"][:8].astype(np.float16)
    vectors = [kept.tobytes(), kept.astype(np.float32).tobytes()]  # of the records, and of the engine
    index.add([*(new(number) for number in range(9)), removed], IDENTITY)
    index.close()  # everything is written
    index = embedded(tmp_path / "index")
    assert any(vector in on_disk() for vector in vectors)
    assert all(word in on_disk() for word in (b"secret text", b"secret source", b"secret metadata", b"thumbnail 99"))

    index.remove([entry(99).id])

    assert b"secret" not in on_disk()
    assert b"thumbnail 99" not in on_disk()
    assert not any(vector in on_disk() for vector in vectors)
    index.close()


@pytest.mark.parametrize("years", [range(1990, 1991), range(1990, 2012)])
def test_a_filter_that_has_nothing_to_do_with_the_vectors(full: Index, years: range) -> None:
    """The nearest of the few or the many entries that a filter keeps are found, however far away they are."""
    query = IndexQuery(10, "best", unit(11, 12), (OneOf("year", tuple(map(float, years))),))

    assert [hit.entry for hit in full.search(query)] == [entry(number) for number in wanted(query)]


def test_removed_entries_are_not_found(index: Index) -> None:
    index.add([new(number) for number in range(9)], IDENTITY)

    assert index.remove([entry(3).id, entry(5).id, "unknown"]) == 2

    assert index.count() == 7
    assert (index.get(entry(3).id), index.thumbnail(entry(3).id)) == (None, None)
    found = index.search(IndexQuery(9, "best", unit(3, 1)))
    assert {hit.entry.source for hit in found} == {f"photos/{i}.jpg" for i in range(9) if i not in {3, 5}}


@pytest.mark.parametrize(
    "identity",
    [replace(IDENTITY, model="1" * 64), replace(IDENTITY, exits=("fast",)), replace(IDENTITY, width=8)],
)
def test_other_vectors_are_refused(index: Index, identity: Identity) -> None:
    index.add([new(1)], IDENTITY)

    with pytest.raises(IndexMismatchError, match="the index was made by the model 000000000000 with 16 numbers"):
        index.add([new(2)], identity)
    assert index.count() == 1


@pytest.mark.parametrize("query", [IndexQuery(3, "worst", unit(1)), IndexQuery(3, "best", unit(1)[:8])])
def test_a_search_with_other_vectors_is_refused(full: Index, query: IndexQuery) -> None:
    with pytest.raises(IndexMismatchError, match="16 numbers of the exits fast, best"):
        full.search(query)


def test_an_index_is_opened_again(opener: Callable[[Path], Index], tmp_path: Path) -> None:
    index = opener(tmp_path / "index")
    index.add([new(number) for number in range(40)], IDENTITY)
    index.remove([entry(7).id])
    before = index.search(IndexQuery(10, "best", unit(5, 1)))
    index.close()

    again = opener(tmp_path / "index")

    assert again.search(IndexQuery(10, "best", unit(5, 1))) == before
    assert again.count() == 39
    again.close()


def test_a_snapshot_is_restored(embedded: Callable[[Path], Index], tmp_path: Path) -> None:
    index = embedded(tmp_path / "index")
    index.add([new(number) for number in range(20)], IDENTITY)
    index.snapshot(tmp_path / "snapshot")
    index.add([new(20)], IDENTITY)

    restore(tmp_path / "snapshot", tmp_path / "other")

    index.close()
    other = embedded(tmp_path / "other")
    assert other.count() == 20
    assert other.search(IndexQuery(1, "best", unit(4, 1)))[0].entry == entry(4)
    other.close()
    with pytest.raises(IndexInUseError, match="has an index already"):
        restore(tmp_path / "snapshot", tmp_path / "other")


def test_no_snapshot(tmp_path: Path) -> None:
    (tmp_path / "snapshot").write_bytes(b"no database at all")

    with pytest.raises(IndexUnavailableError, match="file is not a database"):
        restore(tmp_path / "snapshot", tmp_path / "other")


def test_an_index_has_one_owner(embedded: Callable[[Path], Index], tmp_path: Path) -> None:
    index = embedded(tmp_path / "index")

    with pytest.raises(IndexInUseError, match=r"index is in use by process \d+"):
        embedded(tmp_path / "index")

    index.add([new(1)], IDENTITY)
    index.close()


def test_searches_while_entries_are_added(index: Index) -> None:
    index.add([new(0)], IDENTITY)
    is_done = threading.Event()
    failures: list[BaseException] = []

    def search() -> None:
        try:
            while not is_done.is_set():
                (hit,) = index.search(IndexQuery(1, "best", unit(0, 1)))
                assert hit.entry == entry(0)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(1, 60):
        index.add([new(number)], IDENTITY)
    is_done.set()
    for thread in threads:
        thread.join()

    assert not failures
    assert index.count() == 60


def test_limits(tmp_path: Path) -> None:
    few = EmbeddedIndex(tmp_path / "few", most_entries=2)
    with pytest.raises(IndexFullError, match="at most 2 entries"):
        few.add([new(number) for number in range(3)], IDENTITY)
    assert few.count() == 0
    few.close()
    small = EmbeddedIndex(tmp_path / "small", most_bytes=1000)
    with pytest.raises(IndexFullError, match="at most 1,000 bytes on disk"):
        small.add([new(1)], IDENTITY)
    small.close()


def test_a_damaged_engine_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("qdrant_edge")
    index = EMBEDDED["edge"](tmp_path / "index")
    index.add([new(number) for number in range(30)], IDENTITY)
    index.close()
    for path in (tmp_path / "index" / "edge").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")

    index = EMBEDDED["edge"](tmp_path / "index")

    assert index.search(IndexQuery(1, "best", unit(4, 1)))[0].entry == entry(4)
    assert "is damaged and made anew" in caplog.text
    index.close()
