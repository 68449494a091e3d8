"""Words that are written in pictures, and which of them are near a word that is looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from omninet.app.search.entries import Entry, ReadWord, folded
from omninet.model.outputs.transcript.errors import edit_distance
from omninet.model.outputs.word.scores import plain

LETTERS_AN_EDIT = 4  # letters of a word for each edit by which a written word may differ from it
MOST_SOUGHT, MOST_LETTERS = 8, 40  # words of a search, and letters of a word: longer ones are only sought in texts
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


@dataclass(frozen=True)
class Candidates:
    """What all words that are near a word have: a length within limits, and at least one of some parts of the word.

    An edit changes one part at most, so that a word with fewer edits than there are parts has one of them unchanged.
    """

    least: int
    most: int
    parts: tuple[str, ...]


def sought_in(text: str) -> list[str]:
    """Return the words of a search in plain form: letters and digits in lower case; none if there are too many."""
    words = forms_of(text)
    return words if len(words) <= MOST_SOUGHT and max(map(len, words), default=0) <= MOST_LETTERS else []


def candidates_for(word: str) -> Candidates:
    """Return what the words that are near a word have."""
    count = edits_of(word) + 1
    starts = [i * len(word) // count for i in range(count + 1)]
    parts = tuple(word[start:end] for start, end in pairwise(starts))
    return Candidates(len(word) - edits_of(word), len(word) + edits_of(word), parts)


def edits_of(word: str) -> int:
    """Return by how many edits a written word may differ from a word."""
    return len(word) // LETTERS_AN_EDIT


def near(word: str, known: Iterable[str]) -> Near:
    """Return the known words that differ from a word by few edits: one for every four of its letters."""
    edits = {each: edit_distance(each, word) for each in known}
    found = sorted((count, each) for each, count in edits.items() if count <= edits_of(word))
    return {each: 1 - count / len(word) for count, each in found[:MOST_NEAR]}


def wanted_by(contains: str, known: Callable[[Candidates], Iterable[str]]) -> Wanted | None:
    """Return what a search for a text, or for something that is written, has to find; None for an empty text.

    Args:
        known: returns all written words that are candidates.
    """
    if not contains:
        return None
    nearest = [near(word, known(candidates_for(word))) for word in sought_in(contains)]
    return Wanted(folded(contains), tuple(nearest) if all(nearest) else ())


def found_in(entry: Entry, wanted: Wanted) -> tuple[ReadWord, ...]:
    """Return the words that are written in a picture and near those that are looked for."""
    forms = {form for words in wanted.words for form in words}
    return tuple(word for word in entry.words if forms.intersection(forms_of(word.text)))


def forms_of(text: str) -> list[str]:
    """Return the words of a text that was read, in plain form; mostly one."""
    return [form for each in text.split() if (form := plain(each))]


def likeliest(words: Sequence[ReadWord]) -> dict[str, float]:
    """Return the plain form of each word -> the largest probability with which it is written."""
    found: dict[str, float] = {}
    for word in words:
        for form in forms_of(word.text):
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
