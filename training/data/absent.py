"""Phrases of other photos, from which a network learns that a thing is absent."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from omninet.model.confidence.confidence import words_of
from omninet.training.data.base import Example

TRIES = 20
# Words that do not tell what a thing is.
IDLE = {
    *("a", "an", "the", "his", "her", "their", "its", "some", "several", "other", "another", "group"),
    *("of", "in", "on", "at", "with", "and", "or", "two", "three", "four"),
}
# Names for people overlap: a boy is a person, a player may be a girl.
PEOPLE = {
    *("man", "men", "woman", "women", "boy", "boys", "girl", "girls", "guy", "guys", "lady", "baby", "toddler"),
    *("child", "children", "kid", "kids", "teenager", "adult", "adults", "person", "people", "someone", "couple"),
    *("player", "players", "team", "crowd", "friends", "family", "rider", "biker", "climber", "skier", "surfer"),
    *("he", "she", "him", "them", "they", "who", "that"),
}


def absent_phrases(present: Sequence[Example]) -> list[Example]:
    """Return, for each phrase of a photo, a phrase of another photo of which no word describes this one.

    The choice depends on the examples alone. A photo that shows people gets no phrase about people.

    Args:
        present: phrases with their boxes.
    """
    of_photo: dict[object, set[str]] = defaultdict(set)
    for example in present:
        of_photo[example.image] |= _words(example)
    found: list[Example] = []
    for number, example in enumerate(present):
        generator = random.Random(f"{example.image and example.image.name}:{number}")
        others = (present[generator.randrange(len(present))] for _ in range(TRIES))
        phrase = next((other.inputs["phrase"] for other in others if not _words(other) & of_photo[example.image]), None)
        if phrase is not None:
            found.append(replace(example, inputs={**example.inputs, "phrase": phrase}, truth=()))
    return found


def _words(example: Example) -> set[str]:
    """Return the telling words of a phrase; all words for people are one."""
    words = set(words_of(str(example.inputs["phrase"]))) - IDLE
    return words - PEOPLE | ({"people"} if words & PEOPLE else set())
