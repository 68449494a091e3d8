"""Questions and answers about Flickr8k's photos, generated from their captions by rules.

Each photo has five captions. A question is asked if several captions imply its answer and no caption contradicts it.
The known words are in ``caption_words``.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from omninet.training.data.base import DataSet, Example
from omninet.training.data.caption_phrases import Photo, Sentence, nouns
from omninet.training.data.caption_presence import PRESENT
from omninet.training.data.caption_rules import RULES, Asked
from omninet.training.data.caption_words import SELDOM, UNCOUNTABLE
from omninet.training.data.flickr8k import Flickr8k

MOST = 8  # maximum number of questions per photo
MOST_PRESENT = 3  # maximum number of "is there" questions per photo
PRESENCE = 0.75  # share of photos with an "is there" question whose answer is yes
COMMON = 0.4  # maximum share of one answer among all questions of a kind
TYPES = {"is there": "yes/no", "how many": "number"}


class CaptionQa(DataSet):
    """Flickr8k with generated questions; those of a split are generated from the captions of this split only."""

    task = "vqa"
    source, layout = Flickr8k.source, Flickr8k.layout

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per question, photo by photo."""
        photos = parsed(Flickr8k(self.folder).read(split))
        return [
            Example(
                self.task,
                {"image": photo.image, "question": a.question},
                a.answer,
                answer_type=TYPES.get(a.kind, "other"),
            )
            for photo, asked in zip(photos, ask(photos), strict=True)
            for a in asked
        ]


def parsed(examples: Sequence[Example]) -> list[Photo]:
    """Parse the captions of photos."""
    return [Photo(e.image, tuple(map(Sentence.of, e.captions))) for e in examples if e.image]


def ask(photos: Sequence[Photo]) -> list[list[Asked]]:
    """Generate the questions about each photo; deterministic."""
    present = _ask_presence(photos)
    others = _without_commonplaces([_made(photo) for photo in photos])
    return [few + _varied(more, MOST - len(few), p) for p, few, more in zip(photos, present, others, strict=True)]


def _made(photo: Photo) -> list[Asked]:
    """Return the questions of all rules about a photo."""
    made = {asked.question: asked for rule in RULES for asked in rule(photo)}
    return [asked for asked in made.values() if asked.answer not in SELDOM]


def _without_commonplaces(made: list[list[Asked]]) -> list[list[Asked]]:
    """Drop random questions whose answer is too common among questions of their kind."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for a in (a for asked in made for a in asked):
        counts[a.kind][a.answer] += 1
    kept = {}
    for kind, answers in counts.items():
        answer, most = answers.most_common(1)[0]
        kept[kind, answer] = COMMON / (1 - COMMON) * (answers.total() - most) / most
    generator = random.Random(0)
    return [[a for a in asked if generator.random() < kept.get((a.kind, a.answer), 1)] for asked in made]


def _varied(asked: Sequence[Asked], most: int, photo: Photo) -> list[Asked]:
    """Return at most ``most`` questions, of as many kinds as possible."""
    order = random.Random(photo.image.name).sample(asked, len(asked))
    seen: Counter[str] = Counter()
    ranked = []
    for a in order:
        seen[a.kind] += 1
        ranked.append((seen[a.kind], a))
    return [a for _, a in sorted(ranked, key=lambda pair: pair[0])[:most]]


def related_words() -> dict[str, frozenset[str]]:
    """Return, for each thing of PRESENT, the words by which a caption names it or leaves open whether it is there."""
    return {
        name: frozenset(words.split()) | {word for word, noun in nouns().items() if noun.name == name}
        for name, words in PRESENT.items()
    }


def _ask_presence(photos: Sequence[Photo]) -> list[list[Asked]]:
    """Return "is there" questions, with as many answers no as yes for each thing.

    The answer is yes if at least two captions name the thing, and no if no caption has a related word.
    """
    generator = random.Random(0)
    open_words = related_words()
    found: dict[str, list[int]] = defaultdict(list)
    for i, photo in enumerate(photos):
        named = [name for name in open_words if photo.count(name) > 1]
        if named and generator.random() < PRESENCE:
            found[generator.choice(named)].append(i)
    asked: list[list[Asked]] = [[] for _ in photos]
    for name in sorted(found, key=lambda name: len(found[name])):
        free = [i for i, p in enumerate(photos) if not p.words & open_words[name] and len(asked[i]) < MOST_PRESENT - 1]
        free = sorted(generator.sample(free, len(free)), key=lambda i: len(asked[i]))
        question = f"is there {'' if name in UNCOUNTABLE else 'a '}{name}"
        for yes, no in zip(found[name], free, strict=False):
            asked[yes].append(Asked("is there", question, "yes"))
            asked[no].append(Asked("is there", question, "no"))
    return asked
