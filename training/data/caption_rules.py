"""Rules that generate questions from the captions of a photo.

A rule yields a question if some captions imply its answer and none contradicts it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from omninet.training.data.caption_phrases import WORN, Photo, Phrase, Sentence, is_broader, nouns
from omninet.training.data.caption_words import (
    AT,
    BEFORE_GAMES,
    CROWDED,
    FINER,
    GROUPS,
    HANDLED,
    HEADWEAR,
    MARKS,
    MOVING,
    NO_ACTIONS,
    OBJECTS,
    PAIRS,
    PARTIAL,
    PLACING,
    PLAYED,
    PLAYING,
    RIDDEN,
    SPORTS,
    STILL,
    UNCOLORED,
    WEAK,
    WHERE,
)

COLORED = {"animal", "thing", "vehicle"} | WORN


@dataclass(frozen=True)
class Asked:
    """A question with its answer."""

    kind: str
    question: str
    answer: str


def _colors(photo: Photo) -> Iterator[Asked]:
    """Ask for the color of animals, clothes and things."""
    for name, kind in photo.kinds.items():
        if kind not in COLORED or name in UNCOLORED or (kind == "animal" and _is_vague(photo, name)):
            continue
        are_several = kind == "animal" and photo.is_plural(name)
        if not photo.is_single(name) and not are_several:
            continue
        said = {p.colors and tuple(sorted(p.colors)) for group in photo.phrases(name) for p in group} - {()}
        colors = said.pop() if len(said) == 1 else None
        answer = " and ".join(colors or ())
        if colors and (len(colors) == 1 or answer in PAIRS):
            yield Asked("color", _color_question(photo, name, are_several or kind == "pair"), answer)


def _is_vague(photo: Photo, name: str) -> bool:
    """Return whether an animal's color or species is uncertain: it has marks, or captions name another animal."""
    rivals = [other for other, kind in photo.kinds.items() if kind == "animal" and other not in {name, "animal"}]
    return bool(MARKS & photo.words) or any(photo.count(other) >= photo.count(name) for other in rivals)


def _color_question(photo: Photo, name: str, is_plural: bool) -> str:
    wearers = {p.name for s in photo.sentences for p in s.phrases for c in s.worn(p) if c.name == name}
    wearer = wearers.pop() if len(wearers) == 1 else ""
    if photo.kinds.get(wearer) == "person" and wearer in photo.actors and photo.is_single(wearer):
        return f"what color {name} is the {wearer} wearing"
    return f"what color are the {photo.many(name)}" if is_plural else f"what color is the {name}"


def _numbers(photo: Photo) -> Iterator[Asked]:
    """Ask for the number of people and animals; at least two captions must state it and none another one."""
    for name, kind in photo.kinds.items():
        if kind not in {"animal", "person"} or name == "animal" or (name == "person" and photo.words & CROWDED):
            continue
        totals = [sum(numbers) for s in photo.sentences if (numbers := _stated(s, name)) and all(numbers)]
        stated = {p.number for group in photo.phrases(name) for p in group if p.number > 1}
        fewest = min((p.number for p in _broader(photo, name) if p.number), default=10)
        if len(stated) == 1 and set(totals) == stated and len(totals) > 1 and fewest >= totals[0]:
            yield Asked("how many", f"how many {photo.many(name)} are there", str(*stated))


def _stated(sentence: Sentence, name: str) -> list[int]:
    """Return the number in each phrase of a caption that refers to the name; 0 if unknown."""
    return [p.number for p in sentence.phrases if p.name == name or is_broader(name, p.name)]


def _broader(photo: Photo, name: str) -> list[Phrase]:
    return [p for s in photo.sentences for p in s.phrases if is_broader(p.name, name)]


def _actions(photo: Photo) -> Iterator[Asked]:
    """Ask what a person or an animal is doing: "what is the man doing"."""
    for name, who in photo.actors.items():
        votes = Counter(done for s, p in photo.subjects(name) if (done := _done(s, p)))
        if answer := _agreed(votes, _other_verbs(photo, name)):
            yield Asked("doing", f"what {who} doing", answer)


def _other_verbs(photo: Photo, name: str) -> set[str]:
    """Return further verbs that may apply to a subject: of a broader name, or in captions with no other subject."""
    found = {verb for s, _ in photo.subjects(name) if len(s.alive()) == 1 for verb in s.verbs()}
    found |= {done for s in photo.sentences for p in s.alive() if is_broader(p.name, name) and (done := _done(s, p))}
    return found - NO_ACTIONS


def _done(sentence: Sentence, phrase: Phrase) -> str | None:
    """Return a subject's action, with the game or instrument after "playing"; None without a main action."""
    name, i = sentence.action(phrase) or ("", 0)
    if name == "playing":
        while sentence.word(i + 1) in BEFORE_GAMES:
            i += 1
        return f"playing {sentence.word(i + 1)}" if sentence.word(i + 1) in PLAYED else name
    return name if name not in NO_ACTIONS else None


def _agreed(votes: Counter[str], others: Collection[str]) -> str | None:
    """Return the action stated most often, if at least two captions agree and none states an incompatible one."""
    _refine(votes)
    strong = Counter({verb: count for verb, count in votes.items() if verb not in WEAK}) or votes
    best, count = next(iter(strong.most_common(1)), ("", 0))
    said = {*others, *votes}
    is_told = count > 1 or (said == {best} and best not in WEAK)
    is_sole = list(strong.values()).count(count) == 1
    return best if is_told and is_sole and not _is_opposed(best, said) else None


def _is_opposed(verb: str, others: Collection[str]) -> bool:
    """Return whether an action is incompatible with one of the others."""
    opposed = STILL | MOVING if verb in STILL else STILL if verb in MOVING else frozenset()
    return not opposed.isdisjoint(set(others) - {verb})


def _refine(votes: Counter[str]) -> None:
    """Merge the votes for a broad name into those for a finer one, if there is exactly one finer name."""
    for broad in [name for name in votes if name in FINER]:
        finer = [name for name in votes if is_broader(broad, name)]
        if len(finer) == 1:
            votes[finer[0]] += votes.pop(broad)


def _doers(photo: Photo) -> Iterator[Asked]:
    """Ask for the subject of an action, if no caption names the subject differently."""
    stated = [(done, p) for s in photo.sentences for p in s.alive() if (done := _done(s, p))]
    for verb in dict.fromkeys(done for done, _ in stated):
        phrases = [p for done, p in stated if done == verb]
        name = _finest({p.name for p in phrases})
        if verb in WEAK | PARTIAL or not _is_known(photo, name) or any(p.noun.plural or p.joined for p in phrases):
            continue
        others = _other_verbs(photo, name) | {done for done, p in stated if p.name == name}
        if not _is_opposed(verb, others) and (len(phrases) > 1 or others <= {verb}):
            yield Asked("who", f"who is {verb}", name)


def _is_known(photo: Photo, name: str) -> bool:
    """Return whether a name is a single man, woman or child and no caption disagrees."""
    return name in FINER["person"] & photo.actors.keys() and photo.is_single(name) and not photo.rivals(name)


def _finest(names: Collection[str]) -> str:
    """Return the most specific name, if all others are broader names of it; else an empty string."""
    finest = [name for name in names if not any(is_broader(name, other) for other in names)]
    return finest[0] if len(finest) == 1 else ""


def _places(photo: Photo) -> Iterator[Asked]:
    """Ask where a person or an animal is."""
    named = {name: photo.count(name) for name in photo.kinds if name in WHERE}
    for name, who in photo.actors.items():
        votes = Counter(place for s, p in photo.subjects(name) if (place := _place(s, p)))
        if place := _agreed_place(votes, named):
            yield Asked("where", f"where {who}", WHERE[place])


def _place(sentence: Sentence, phrase: Phrase) -> str | None:
    """Return a subject's place, if no other subject is named in between."""
    for further in sentence.phrases:
        if further.start > phrase.end and further.is_alive:
            return None
        before = sentence.word(further.start - 1)
        if further.start >= phrase.end and further.name in WHERE:
            return further.name if before in PLACING or (before == "at" and further.name in AT) else None
    return None


def _agreed_place(votes: Counter[str], named: Mapping[str, int]) -> str | None:
    """Return the place stated most often, if it can be in one photo with all other places named."""
    for broad in [place for place in votes if place in FINER]:
        for place in [place for place in votes if is_broader(broad, place) and votes[place] < 2]:
            votes[broad] += votes.pop(place)
    best, count = next(iter(votes.most_common(1)), ("", 0))
    if list(votes.values()).count(count) != 1 or not all(_together(best, other) for other in named):
        return None
    return best if count > 1 or named[best] > 1 else None


def _together(one: str, other: str) -> bool:
    """Return whether two places can be in the same photo."""
    mine, theirs = ([group for group in GROUPS if place in group] for place in (one, other))
    are_two_waters = one != other and {one, other} <= FINER["water"]
    return not are_two_waters and (not mine or not theirs or any(group in theirs for group in mine))


def _objects(photo: Photo) -> Iterator[Asked]:
    """Ask for the object of an action, such as riding, holding or chasing."""
    for name, who in photo.actors.items():
        found: dict[str, set[str]] = defaultdict(set)
        for sentence, phrase in photo.subjects(name):
            for verb, thing in _object(sentence, phrase):
                found[verb].add(thing)
        if "holding" in found and name == "dog":
            found["holding"] |= _held(photo)
        for verb, things in found.items():
            if (thing := _finest(things)) and not _may_be_finer(photo, thing):
                yield Asked(verb if verb in {"riding", "holding"} else "object", f"what {who} {verb}", thing)


def _object(sentence: Sentence, phrase: Phrase) -> Iterator[tuple[str, str]]:
    verb, i = sentence.action(phrase) or ("", 0)
    for name in (verb, f"{verb} {sentence.word(i + 1)}"):
        if name not in OBJECTS:
            continue
        start = i + 1 if name == verb else i + 2
        thing = sentence.starting(start + (sentence.word(start) in OBJECTS[name]))
        if thing and not thing.noun.plural and _is_handled(thing, name):
            yield "holding" if name == "carrying" else name, thing.name


def _may_be_finer(photo: Photo, thing: str) -> bool:
    """Return whether a caption has a more specific name for the thing."""
    return any(is_broader(thing, name) for name in photo.kinds)


def _is_handled(thing: Phrase, verb: str) -> bool:
    if verb == "riding":
        return thing.name in RIDDEN
    return thing.noun.kind in {"thing", "animal"} or thing.name in HANDLED


def _held(photo: Photo) -> set[str]:
    """Return the things that captions describe as in a mouth."""
    return {
        phrase.name
        for sentence in photo.sentences
        for phrase in sentence.phrases
        if sentence.word(phrase.end) == "in" and sentence.word(phrase.end + 2) == "mouth" and not phrase.is_alive
    }


def _mouths(photo: Photo) -> Iterator[Asked]:
    """Ask what a dog has in its mouth."""
    thing = _finest(_held(photo))
    if thing and "dog" in photo.actors and photo.is_single("dog") and not _may_be_finer(photo, thing):
        yield Asked("holding", "what is in the mouth of the dog", thing)


def _clothes(photo: Photo) -> Iterator[Asked]:
    """Ask what a person wears, on the head or at all."""
    clothes = {name for name, kind in photo.kinds.items() if kind in WORN}
    for name, who in photo.actors.items():
        if photo.kinds[name] == "person" and photo.is_single(name):
            worn = {c.name for s, p in photo.subjects(name) for c in s.worn(p)}
            if (head := _finest(worn & HEADWEAR)) and head == _finest(clothes & HEADWEAR):
                yield Asked("wearing", f"what {who} wearing on the head", head)
            if len(worn) == 1 and worn == clothes and photo.count(*worn) > 1:
                yield Asked("wearing", f"what {who} wearing", *worn)


def _animals(photo: Photo) -> Iterator[Asked]:
    """Ask which animal is in the picture."""
    animals = {nouns()[word].name for word in photo.words & nouns().keys() if nouns()[word].kind == "animal"}
    if len(animals - {"animal"}) == 1 and photo.count(name := next(iter(animals - {"animal"}))) > 1:
        yield Asked("animal", "what animal is in the picture", name)


def _sports(photo: Photo) -> Iterator[Asked]:
    """Ask which sport people play; photos with animals are left out, as dogs often have tennis balls."""
    said = [word for sentence in photo.sentences for word in SPORTS & set(sentence.words)]
    if len(set(said)) == 1 and len(said) > 1 and photo.words & PLAYING and "animal" not in photo.kinds.values():
        yield Asked("sport", "what sport is being played", said[0])


RULES: tuple[Callable[[Photo], Iterable[Asked]], ...] = (
    _colors, _numbers, _actions, _doers, _places, _objects, _mouths, _clothes, _animals, _sports,
)  # fmt: skip
