"""Statements about two photos of Flickr8k, generated from their captions by rules.

A caption tells what one of the photos shows; a thing is in a photo if two captions name it, and not in it if no caption
has a related word, as in ``caption_qa``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from omninet.model.outputs.label.answer import Label
from omninet.model.outputs.label.metrics import consistency
from omninet.training.data.base import DataSet, Example
from omninet.training.data.caption_phrases import Photo
from omninet.training.data.caption_qa import parsed, related_words
from omninet.training.data.caption_words import UNCOUNTABLE
from omninet.training.data.flickr8k import Flickr8k

SIDES = ("left", "right")
TRUE, FALSE = "true", "false"
# Of a thing that only one photo shows, the share of statements with "both" or "only one"; all others name a side.
# With this value "both" and "only one" are true about as often as false.
RARE = 0.29


@dataclass(frozen=True)
class Stated:
    """A statement about two photos, and whether it is true of them and of the same photos in the other order."""

    statement: str
    is_true: bool
    is_true_swapped: bool


class CaptionPairs(DataSet):
    """Pairs of photos of Flickr8k with generated statements; each pair is there in both orders."""

    task = "pair"
    source, layout = Flickr8k.source, Flickr8k.layout

    def examples(self, split: str) -> Sequence[Example]:
        """Return the examples photo by photo; both orders of a pair have the same ``question_id``."""
        read = Flickr8k(self.folder).read(split)
        photos, captions = parsed(read), {example.image: example.captions for example in read}
        words = related_words()
        found: list[Example] = []
        for number, photo in enumerate(photos):
            generator = random.Random(f"{photo.image.name}:pair")
            other = photos[generator.randrange(len(photos))]
            if other is not photo:
                told = (captions[photo.image], captions[other.image])
                stated = [_one_side(told, generator), *_about_things((photo, other), words, generator)]
                for kind, made in enumerate(stated):
                    found += _both_orders(self.task, (photo, other), made, f"{number}-{kind}")
        return found

    def metrics(self, examples: Sequence[Example], answers: Sequence[Label]) -> dict[str, float]:
        """Compute the consistency: the share of statements that are judged rightly in both orders of the photos."""
        right = [example.answer == answer.label for example, answer in zip(examples, answers, strict=True)]
        return {"consistency": consistency([example.question_id for example in examples], right)}


def _both_orders(task: str, pair: tuple[Photo, Photo], stated: Stated, name: str) -> list[Example]:
    (first, second), statement = pair, stated.statement
    return [
        Example(
            task,
            {"image": left.image, "second_image": right.image, "statement": statement},
            TRUE if is_true else FALSE,
            question_id=name,
        )
        for left, right, is_true in ((first, second, stated.is_true), (second, first, stated.is_true_swapped))
    ]


def _one_side(captions: tuple[Sequence[str], Sequence[str]], generator: random.Random) -> Stated:
    """State that one side shows what a caption of either photo says."""
    side, origin = generator.randrange(2), generator.randrange(2)
    caption = generator.choice(captions[origin]).rstrip(" .")
    statement = f"In the {SIDES[side]} picture, {caption[:1].lower()}{caption[1:]}."
    return Stated(statement, side == origin, side != origin)


def _about_things(
    pair: tuple[Photo, Photo], words: Mapping[str, frozenset[str]], generator: random.Random
) -> Iterator[Stated]:
    """State which of the photos show a thing that at least one of them shows."""
    shown = {name: tuple(_shows(photo, name, related) for photo in pair) for name, related in words.items()}
    known = {name: both for name, both in shown.items() if any(both) and None not in both}
    in_both = [name for name, both in known.items() if all(both)]
    if not known:
        return
    name = generator.choice(sorted(in_both or known))
    thing = name if name in UNCOUNTABLE else f"a {name}"
    if in_both or generator.random() < RARE:
        says_both = generator.randrange(2) == 0
        is_true = says_both == bool(in_both)
        yield Stated(
            f"Both pictures show {thing}." if says_both else f"Only one picture shows {thing}.", is_true, is_true
        )
    else:
        side, first = generator.randrange(2), bool(known[name][0])
        is_true = first == (side == 0)
        yield Stated(f"There is {thing} in the {SIDES[side]} picture.", is_true, not is_true)


def _shows(photo: Photo, name: str, related: frozenset[str]) -> bool | None:
    """Return whether a photo shows a thing; None if its captions leave that open."""
    if photo.count(name) > 1:
        return True
    return None if photo.words & related else False
