"""Searches for words that are written in pictures."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omninet.app.search.conditions import IndexQuery
from omninet.app.search.embedded import RECORDS, EmbeddedIndex
from omninet.app.search.entries import NewEntry, ReadWord
from omninet.app.search.index import Index
from omninet.app.search.written import candidates_for, edits_of, from_values, near, sought_in, to_values
from omninet.model.outputs.transcript.errors import edit_distance
from tests.app.search.entries import IDENTITY, new, unit
from tests.app.search.test_indexes import opener_of

CORNERS = ((0.1, 0.2), (0.5, 0.2), (0.5, 0.3), (0.1, 0.3))


def written(number: int, **words: float) -> NewEntry:
    """Return an entry in whose picture some words are written, each with its probability."""
    return new(number, words=tuple(ReadWord(text, p, CORNERS) for text, p in words.items()), text=f"photo {number}")


@pytest.fixture(params=["exact", "postgres"])
def filled(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Index]:
    """An index of four pictures."""
    with closing(opener_of(request.param, request)(tmp_path / "index")) as index:
        index.add([written(0, Exit=0.4), written(1, EXIT=0.9, Taxi=0.5), written(2, Exile=0.8), written(3)], IDENTITY)
        yield index


def names(index: Index, contains: str, **query: object) -> list[int]:
    hits = index.search(replace(IndexQuery(10, contains=contains), **query))  # type: ignore[arg-type]
    return [int(hit.entry.source.split("/")[1].split(".")[0]) for hit in hits]


def test_the_likeliest_come_first(filled: Index) -> None:
    assert names(filled, "exit") == [1, 0]
    assert names(filled, "Exit!") == [1, 0]
    assert names(filled, "exit taxi") == [1]
    assert names(filled, "exit tram") == []


def test_longer_words_may_differ_in_more_letters(filled: Index) -> None:
    filled.add([written(4, RESTAURNT=0.9), written(5, RESTAURANT=0.5), written(6, RESTRANT=0.9)], IDENTITY)

    assert names(filled, "restaurant") == [4, 6, 5]  # 0.9 x 0.9, 0.9 x 0.8, 0.5
    assert names(filled, "taxl") == [1]
    assert names(filled, "tax") == []


def test_a_text_that_has_it_comes_first(filled: Index) -> None:
    filled.add([new(7, text="the exit of a shop")], IDENTITY)

    assert names(filled, "exit") == [7, 1, 0]


def test_a_part_of_a_text_that_was_read_as_one(filled: Index) -> None:
    filled.add([written(8, **{"NO PARKING": 0.9})], IDENTITY)

    assert names(filled, "parking") == names(filled, "no parking") == [8]
    (hit,) = filled.search(IndexQuery(10, contains="parking"))
    assert [word.text for word in hit.found] == ["NO PARKING"]


def test_hits_say_where_it_is(filled: Index) -> None:
    first, _ = filled.search(IndexQuery(10, contains="exit"))

    assert first.found == (ReadWord("EXIT", 0.9, CORNERS),)
    assert len(first.entry.words) == 2
    assert all(hit.found == () for hit in filled.search(IndexQuery(10, "best", unit(1, 1))))


def test_together_with_a_vector(filled: Index) -> None:
    assert names(filled, "exit", exit="best", vector=unit(0, 1)) == [0, 1]


def test_removed_words_are_not_found(filled: Index) -> None:
    (first, *_) = filled.search(IndexQuery(10, contains="exit"))
    filled.remove([first.entry.id])

    assert names(filled, "exit") == [0]
    assert names(filled, "taxi") == []


def test_an_index_of_an_older_version_gets_the_column(tmp_path: Path) -> None:
    index = EmbeddedIndex(tmp_path / "index")
    index.add([new(1)], IDENTITY)
    index.close()
    with sqlite3.connect(tmp_path / "index" / RECORDS) as database:
        database.execute("ALTER TABLE entries DROP COLUMN words")
        database.execute("DROP TABLE words")
    database.close()

    index = EmbeddedIndex(tmp_path / "index")
    index.add([written(2, Exit=0.5)], IDENTITY)

    assert [entry.words for entry in index.entries()] == [(), (ReadWord("Exit", 0.5, CORNERS),)]
    assert names(index, "exit") == [2]
    index.close()


def test_likeness_by_hand() -> None:
    assert near("exit", ["exit", "exist", "exile", "ex", "taxi"]) == {"exit": 1, "exist": 0.75}
    assert near("abc", ["abd", "abc"]) == {"abc": 1}
    assert sought_in("No  Parking! -") == ["no", "parking"]
    assert sought_in("a b c d e f g h i") == sought_in("x" * 41) == []


@given(st.text("abc", min_size=1, max_size=14), st.text("abc", max_size=14))
def test_a_near_word_is_a_candidate(word: str, other: str) -> None:
    wanted = candidates_for(word)

    if edit_distance(word, other) <= edits_of(word):
        assert wanted.least <= len(other) <= wanted.most
        assert any(part in other for part in wanted.parts)


def test_words_survive_the_way_through_json() -> None:
    words = (ReadWord("Exit", 0.5, CORNERS),)

    assert from_values(to_values(words)) == words
