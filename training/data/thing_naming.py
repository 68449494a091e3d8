"""Captions and questions about photos of everyday things, by templates from the classes of the photos.

``thing_names.tsv`` says what a caption calls a class: a dalmatian is "a dog", a class such as "cloudy" has no name.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from omninet.training.data.base import Example, read_text
from omninet.training.data.caltech101 import Caltech101
from omninet.training.data.labelled_photos import LabelledPhoto, LabelledPhotos

NAMES = Path(__file__).with_name("thing_names.tsv")
NAMELESS = "-"
CERTAIN = 0.7  # probability from which a class of the classifier names a photo whose source has no class
MOST = 150  # photos of a thing
ARTICLES = ("a ", "an ", "the ")
# All begin with the thing: "a photo of" would be likelier than any one thing, and begin every caption.
CAPTIONS = ("{}", "{} in the picture", "{} seen from close by", "{} in a photo")
QUESTIONS = (
    "what is in the picture?",
    "what is this?",
    "what can be seen in the picture?",
    "what does the photo show?",
)
PRESENCE = ("is there {} in the picture?", "can you see {}?")
PRESENCE_OF_MANY = ("can you see {}?", "does the picture show {}?")  # fits plurals, which have no article


@dataclass(frozen=True)
class Named:
    """A photo with the name of the thing in it, with its article.

    Attributes:
        captions: by people; mostly none.
    """

    path: Path
    thing: str
    captions: tuple[str, ...] = ()


class ThingCaptions(LabelledPhotos):
    """Captions of people where there are any, else two by templates."""

    task = "caption"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per photo that has a name or captions."""
        return _captioned(named(self.photos(split)))


class ThingQuestions(LabelledPhotos):
    """Two questions by templates: what a photo shows, and whether a thing is in it."""

    task = "vqa"

    def examples(self, split: str) -> Sequence[Example]:
        """Return two examples per photo that has a name."""
        return _asked(named(self.photos(split)))


class Caltech101Captions(Caltech101):
    """Two captions by templates for each photo of Caltech-101."""

    task = "caption"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per photo whose class has a name."""
        return _captioned(_classified(super().examples(split)))


class Caltech101Questions(Caltech101):
    """Two questions by templates about each photo of Caltech-101."""

    task = "vqa"

    def examples(self, split: str) -> Sequence[Example]:
        """Return two examples per photo whose class has a name."""
        return _asked(_classified(super().examples(split)))


def named(photos: Iterable[LabelledPhoto]) -> list[Named]:
    """Return the photos that have a name or captions, at most MOST of a name."""
    counts: Counter[str] = Counter()
    kept = []
    for photo in photos:
        thing = thing_of(photo)
        counts[thing] += not photo.captions
        if photo.captions or (thing and counts[thing] <= MOST):
            kept.append(Named(photo.path, thing, photo.captions))
    return kept


def _classified(examples: Sequence[Example]) -> list[Named]:
    things = [(e.image, name_of(e.answer)) for e in examples]
    return [Named(image, thing) for image, thing in things if image and thing]


def _captioned(photos: Sequence[Named]) -> list[Example]:
    """Return the captions of each photo."""
    examples = []
    for photo in photos:
        texts = _draw(photo, "caption").sample(CAPTIONS, 2)
        captions = photo.captions or tuple(text.format(photo.thing) for text in texts)
        examples.append(Example("caption", {"image": photo.path}, captions[0], captions=captions))
    return examples


def _asked(photos: Sequence[Named]) -> list[Example]:
    """Return two questions about each photo that has a name; half of the second are about another photo's thing."""
    photos = [photo for photo in photos if photo.thing]
    examples = []
    for photo in photos:
        draw = _draw(photo, "question")
        other = draw.choice(photos).thing if draw.random() < 0.5 else photo.thing
        templates = PRESENCE if other.startswith(ARTICLES) else PRESENCE_OF_MANY
        is_there = "yes" if other == photo.thing else "no"
        for question, answer, kind in (
            (draw.choice(QUESTIONS), without_article(photo.thing), "other"),
            (draw.choice(templates).format(other), is_there, "yes/no"),
        ):
            examples.append(Example("vqa", {"image": photo.path, "question": question}, answer, answer_type=kind))
    return examples


def thing_of(photo: LabelledPhoto) -> str:
    """Return what a caption calls the thing in a photo, with its article; empty if the photo has no sure name."""
    if photo.label:
        return name_of(photo.label)
    return name_of(photo.likeliest) if photo.probabilities[photo.likeliest] >= CERTAIN else ""


def name_of(label: str) -> str:
    """Return what a caption calls a class, with its article; empty if it has no name.

    >>> name_of("dalmatian"), name_of("umbrella"), name_of("cloudy weather")
    ('a dog', 'an umbrella', 'a cloudy weather')
    """
    label = label.lower().replace("_", " ")
    name = _names().get(label) or f"{'an' if label[0] in 'aeiou' else 'a'} {label}"
    return "" if name == NAMELESS else name


def without_article(thing: str) -> str:
    """Return a name without its article, as answers have it."""
    return next((thing.removeprefix(article) for article in ARTICLES if thing.startswith(article)), thing)


@cache
def _names() -> Mapping[str, str]:
    """Return class, in lower case -> name with its article."""
    rows = [line.split("\t") for line in read_text(NAMES).splitlines() if not line.startswith("#")]
    return {label: name for name, labels in rows for label in labels.split(", ")}


def _draw(photo: Named, purpose: str) -> random.Random:
    """Return a generator that depends on the photo alone, so that its texts are the same in every run."""
    return random.Random(f"{photo.path.name} {purpose}")
