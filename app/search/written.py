"""Words that are written in pictures, and which of them are near a word that is looked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omninet.app.search.entries import Entry, ReadWord
from omninet.model.outputs.transcript.errors import edit_distance
from omninet.model.outputs.word.scores import plain

LETTERS_AN_EDIT = 4  # letters of a word for each edit by which a written word may differ from it
MOST_NEAR = 200  # words that are near a word, the nearest first

Near = Mapping[str, float]  # written word, in plain form -> its likeness to a word that is looked for, in (0, 1]


@dataclass(frozen=True)
class Wanted:
    """What a search for a part of a text, or for something that is written, has to find.

    Attributes:
        text: the part, folded.
        words: the written words that are near each of its words; empty if a word has none near it.
    """

    text: str
    words: tuple[Near, ...] = ()


def words_of(text: str) -> list[str]:
    """Return the words of a text in plain form: letters and digits in lower case."""
    return [word for each in text.split() if (word := plain(each))]


def lengths_near(word: str) -> tuple[int, int]:
    """Return the least and the largest length of words that may be near a word."""
    edits = len(word) // LETTERS_AN_EDIT
    return len(word) - edits, len(word) + edits


def near(word: str, known: Iterable[str]) -> Near:
    """Return the known words that differ from a word by few edits: one for every four of its letters."""
    least, most = lengths_near(word)
    edits = {each: edit_distance(each, word) for each in known if least <= len(each) <= most}
    found = sorted((count, each) for each, count in edits.items() if count <= len(word) // LETTERS_AN_EDIT)
    return {each: 1 - count / len(word) for count, each in found[:MOST_NEAR]}


def found_in(entry: Entry, wanted: Wanted) -> tuple[ReadWord, ...]:
    """Return the words that are written in a picture and near those that are looked for."""
    forms = {form for words in wanted.words for form in words}
    return tuple(word for word in entry.words if plain(word.text) in forms)


def likeliest(words: Sequence[ReadWord]) -> dict[str, float]:
    """Return the plain form of each word -> the largest probability with which it is written."""
    found: dict[str, float] = {}
    for word in words:
        form = plain(word.text)
        if form:
            found[form] = max(found.get(form, 0.0), word.probability)
    return found


def to_values(words: Sequence[ReadWord]) -> list[dict[str, Any]]:
    """Convert words to JSON values."""
    return [{"text": w.text, "probability": w.probability, "corners": [list(c) for c in w.corners]} for w in words]


def from_values(values: Sequence[Mapping[str, Any]]) -> tuple[ReadWord, ...]:
    """Convert the result of ``to_values`` back."""
    return tuple(
        ReadWord(each["text"], each["probability"], tuple((x, y) for x, y in each["corners"])) for each in values
    )
