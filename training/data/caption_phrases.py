"""Shallow parser of captions: finds things, their number and color, and the actions of people and animals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from omninet.training.data.caption_words import (
    ADJECTIVES,
    ADVERBS,
    ARTICLES,
    COLORS,
    COMPOUNDS,
    FINER,
    FOLLOWERS,
    GAME,
    NO_VERBS,
    NOUN_LINES,
    NUMBERS,
    OTHERS,
    PARTS,
    SPORTS,
    VAGUE,
    VERB_LINES,
    Noun,
)

ANIMATE = frozenset({"animal", "person", "role", "crowd"})
WORN = frozenset({"clothing", "pair"})
LINKS = frozenset({"in", "with", "wearing", "on", "and", ",", "wears", "dressed"})
SHADES = frozenset({"dark", "light", "bright"})


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: a noun with the modifiers before it.

    Attributes:
        start, end: range of its words; the noun is the last.
        number: count of things; 0 if unknown.
        colors: in order; None if they may be ambiguous.
        other: whether the phrase implies further things of this name, such as "another man".
        joined: whether it follows "and".
    """

    start: int
    end: int
    noun: Noun
    number: int
    colors: tuple[str, ...] | None
    other: bool
    joined: bool

    @property
    def name(self) -> str:
        """Return the name of the noun."""
        return self.noun.name

    @property
    def is_alive(self) -> bool:
        """Return whether the noun is a person or an animal, which can act."""
        return self.noun.kind in ANIMATE


@dataclass(frozen=True)
class Sentence:
    """A parsed caption.

    Attributes:
        words: in lower case; some compounds are joined to one word.
    """

    words: tuple[str, ...]
    phrases: tuple[Phrase, ...]

    @classmethod
    def of(cls, caption: str) -> Sentence:
        """Parse a caption."""
        words = split(caption)
        return cls(words, tuple(_phrases(words)))

    def starting(self, position: int) -> Phrase | None:
        """Return the phrase that begins at a position, if any."""
        return next((p for p in self.phrases if p.start == position), None)

    def word(self, position: int) -> str:
        """Return the word at a position, or a full stop after the end."""
        return self.words[position] if position < len(self.words) else "."

    def alive(self) -> list[Phrase]:
        """Return the phrases of people and animals."""
        return [p for p in self.phrases if p.is_alive]

    def verbs(self) -> set[str]:
        """Return the names of all verbs, regardless of their subject."""
        are_several = any(p.noun.plural for p in self.alive())
        known = [verbs()[word] for word in self.words if word in verbs() and word not in nouns()]
        return {name for name, is_plain in known if are_several or not is_plain}

    def action(self, phrase: Phrase) -> tuple[str, int] | None:
        """Return the verb of which a phrase is the subject, with its position; clothes and things may be in between."""
        i = phrase.end
        while self.word(i) in LINKS and (further := self.starting(i + 1)) and not further.is_alive:
            i = further.end
        start = i
        while self.word(i) in ADVERBS:
            i += 1
        name, is_plain = verbs().get(self.word(i), ("", False))
        is_bare = not {"is", "are"} & set(self.words[start:i]) and is_plain == phrase.noun.plural
        return (name, i) if name and (self.word(i) == name or is_bare) else None

    def worn(self, phrase: Phrase) -> Iterator[Phrase]:
        """Yield the clothes that a subject wears, as in "a man in a hat and a red shirt"."""
        i = phrase.end + (self.word(phrase.end) in {"is", "are"})
        links = {"in", "wearing", "wears", "with"}
        while phrase.is_alive and self.word(i) in links and (found := self.starting(i + 1)):
            if found.noun.kind not in WORN:
                return
            yield found
            i, links = found.end, {"and", ",", "with"}


@dataclass(frozen=True)
class Photo:
    """A photo with all of its captions, parsed."""

    image: Path
    sentences: tuple[Sentence, ...]

    @cached_property
    def words(self) -> frozenset[str]:
        """Return the words of all captions."""
        return frozenset(word for sentence in self.sentences for word in sentence.words)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Return name -> kind of everything named, in the order of the captions."""
        return {p.name: p.noun.kind for s in self.sentences for p in s.phrases}

    def phrases(self, name: str) -> list[list[Phrase]]:
        """Return the phrases with this name, grouped by caption; captions without one are left out."""
        found = [[p for p in s.phrases if p.name == name] for s in self.sentences]
        return [group for group in found if group]

    def count(self, name: str) -> int:
        """Return the number of captions that contain this name."""
        return len(self.phrases(name))

    def many(self, name: str) -> str:
        """Return the plural of a name."""
        return self.phrases(name)[0][0].noun.many

    def is_single(self, name: str) -> bool:
        """Return whether all captions with this name agree that there is exactly one."""
        return all(
            len(group) == 1 and not group[0].other and (group[0].noun.kind == "pair" or not group[0].noun.plural)
            for group in self.phrases(name)
        )

    def is_plural(self, name: str) -> bool:
        """Return whether all captions with this name agree that there are several."""
        return all(len(group) == 1 and group[0].noun.plural for group in self.phrases(name))

    def rivals(self, name: str) -> set[str]:
        """Return names that other captions may use for the same person: never beside it, and not a broader name."""
        if self.kinds[name] != "person":
            return set()
        named_together = {p.name for s in self.sentences if any(p.name == name for p in s.phrases) for p in s.phrases}
        people = {other for other, kind in self.kinds.items() if kind == "person"}
        return {other for other in people - named_together if not is_broader(other, name)}

    @cached_property
    def actors(self) -> dict[str, str]:
        """Return name -> "is the man" or "are the men", for subjects whose name most captions agree on."""
        found = {}
        for name, kind in self.kinds.items():
            if kind not in {"animal", "person"} or not self._is_certain(name):
                continue
            if self.is_single(name):
                found[name] = f"is the {name}"
            elif self.is_plural(name):
                found[name] = f"are the {self.many(name)}"
        return found

    def _is_certain(self, name: str) -> bool:
        rivals = self.rivals(name)
        return sum(map(self.count, rivals)) < self.count(name) and not any(is_broader(name, r) for r in rivals)

    def subjects(self, name: str) -> list[tuple[Sentence, Phrase]]:
        """Return phrases that refer to a name, or to a broader name if a caption has no other subject."""
        found = []
        for sentence in self.sentences:
            alive = sentence.alive()
            broader = [p for p in alive if is_broader(p.name, name) and p.noun.plural == self.is_plural(name)]
            same = [p for p in alive if p.name == name]
            found += [(sentence, p) for p in same or (broader if len(alive) == 1 else [])]
        return found


def is_broader(one: str, other: str) -> bool:
    """Return whether the first name may include the second, as "person" includes "man"."""
    return other in FINER.get(one, ())


@cache
def nouns() -> dict[str, Noun]:
    """Return word -> Noun for all known nouns."""
    found: dict[str, Noun] = {}
    for kind, lines in NOUN_LINES.items():
        for entry in lines.split(";"):
            names, _, more = entry.partition(":")
            one, many = names.split()
            ones, _, others = more.partition("/")
            found |= {word: Noun(one, many, kind, True) for word in [many, *others.split()]}
            found |= {word: Noun(one, many, kind, False) for word in [one, *ones.split()]}
    return found


@cache
def verbs() -> dict[str, tuple[str, bool]]:
    """Return verb form -> (name, whether this is the plain form), for all known verbs."""
    found: dict[str, tuple[str, bool]] = {}
    for entry in VERB_LINES.split(";"):
        name, plain, *more = entry.replace("=", "").split()
        found |= {plain: (name, True)} | dict.fromkeys([name, *more], (name, False))
    return found


def split(caption: str) -> tuple[str, ...]:
    """Split a caption into words, commas and full stops."""
    joined: list[str] = []
    for word in re.findall(r"'s|[a-z]+|\d+|[.,]", caption.lower()):
        if joined and (compound := COMPOUNDS.get(f"{joined[-1]} {word}")):
            joined[-1] = compound
        else:
            joined.append(word)
    return tuple(joined)


def _phrases(words: Sequence[str]) -> Iterator[Phrase]:
    for i, word in enumerate(words):
        noun = nouns().get(word)
        if noun and _is_head(words, i, noun):
            yield _phrase(words, i, noun)


def _is_head(words: Sequence[str], i: int, noun: Noun) -> bool:
    """Return whether a noun is the head of its phrase: "ball ." or "dog runs", but not "ball game" or "to fish"."""
    after = words[i + 1] if i + 1 < len(words) else "."
    before = words[i - 1] if i else ""
    if (before == "to" and words[i] in verbs()) or (before in GAME and words[i] in SPORTS):
        return False
    if after in FOLLOWERS or after in COLORS:
        return True
    if after not in verbs():
        return noun.kind in ANIMATE | WORN and after.endswith("ing") and after not in NO_VERBS
    _, is_plain = verbs()[after]
    if noun.kind in ANIMATE:
        return is_plain == noun.plural or after.endswith("ing") or (is_plain and "and" in words[:i])
    return after not in nouns() and (noun.plural or not is_plain)


def _phrase(words: Sequence[str], head: int, noun: Noun) -> Phrase:
    start = head
    while start and _modifies(words, start - 1):
        start -= 1
    number, other, first_modifier = 0 if noun.plural else 1, False, start
    while start and (words[start - 1] in NUMBERS or words[start - 1] in ARTICLES):
        start -= 1
        number = NUMBERS.get(words[start], number)
        other = other or words[start] in OTHERS
    return Phrase(
        start, head + 1, noun, number, _colors(words[first_modifier:head]), other, words[max(start - 1, 0)] == "and"
    )


def _modifies(words: Sequence[str], i: int) -> bool:
    if words[i] in {"and", ","}:
        return i > 0 and words[i - 1] in COLORS and _is_color(words, i + 1)
    return any(words[i] in known for known in (ADJECTIVES, COLORS, VAGUE, PARTS))


def _is_color(words: Sequence[str], i: int) -> bool:
    return words[i] in COLORS or (words[i] in SHADES and words[i + 1] in COLORS)


def _colors(words: Sequence[str]) -> tuple[str, ...] | None:
    if any(word in VAGUE or word in PARTS for word in words):
        return None
    return tuple(dict.fromkeys(COLORS[word] for word in words if word in COLORS))
