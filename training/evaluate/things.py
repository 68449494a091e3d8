"""Share of captions and answers that name the main object of photos of everyday things, outside the training data."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from omninet.model.predictor import Predictor
from omninet.training.data import DataError, Example
from omninet.training.evaluate.answering import answer_all
from omninet.training.evaluate.asking import captioning, questioning
from omninet.training.evaluate.markdown import rows

LIST = Path(__file__).with_name("things.tsv")
QUESTION = "What is in the picture?"
MOST_KINDS = 2  # kinds that a caption may name; listing more is not counted as recognition
BEGINNING = 3  # words compared at the beginning of captions


@dataclass(frozen=True)
class Thing:
    """A photo of one main object.

    Attributes:
        photo: path relative to the folder of photos.
        kind: class of the object.
        words: words that count as naming it.
    """

    photo: str
    kind: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Naming:
    """How many objects were named.

    Attributes:
        photos, kinds: number of photos and of kinds.
        captions: share of captions that name the object, in percent; 0 if ``alike``.
        answers: share of answers to QUESTION that name the object, in percent.
        alike: whether more than half of the captions begin with the same three words.
        said: (photo, kind, caption, answer) of each photo.
    """

    photos: int
    kinds: int
    captions: float
    answers: float
    alike: bool
    said: tuple[tuple[str, str, str, str], ...]


def read_things(folder: Path) -> list[Thing]:
    """Read the list of a folder's photos: its own ``things.tsv``, or else the one included in this package.

    Each line holds photo, perceptual hash, kind and words, separated by tabs.

    Raises:
        DataError: a line has another format.
    """
    path = folder / LIST.name if (folder / LIST.name).is_file() else LIST
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    try:
        table = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Thing(photo, kind, tuple(words.split())) for photo, _, kind, words in table]
    except ValueError as error:
        raise DataError(f"{path}: every line must be photo, hash, kind and words, separated by tabs") from error


def check_photos(folder: Path) -> list[Thing]:
    """Read the list of a folder's photos, and check that they exist.

    Raises:
        DataError: a photo is missing, or the list is malformed.
    """
    things = read_things(folder)
    missing = [thing.photo for thing in things if not (folder / thing.photo).is_file()]
    if missing:
        raise DataError(f"{folder} lacks {len(missing)} of {len(things)} photos, such as {missing[0]}")
    return things


def name_things(predictor: Predictor, folder: Path) -> Naming:
    """Caption each photo of a folder's list and ask what is in it, then count the named objects.

    Raises:
        DataError: a photo is missing or cannot be read.
    """
    things = check_photos(folder)
    photos = [folder / thing.photo for thing in things]
    captions = _said(predictor, [Example(captioning(predictor), {"image": photo}) for photo in photos])
    asked = questioning(predictor)
    answers = _said(predictor, [Example(asked, {"image": photo, "question": QUESTION}) for photo in photos])
    return count(things, captions, answers)


def _said(predictor: Predictor, examples: Sequence[Example]) -> list[str]:
    output = predictor.output(examples[0].task)
    return [output.line(answer) for answer in answer_all(predictor, examples, title="things")]


def count(things: Sequence[Thing], captions: Sequence[str], answers: Sequence[str]) -> Naming:
    """Count the captions and answers that name their thing."""
    kinds = {thing.kind for thing in things}
    alike = begins_alike(captions)
    named = [
        names(caption, thing.words) and sum(names(caption, [kind]) for kind in kinds) <= MOST_KINDS
        for thing, caption in zip(things, captions, strict=True)
    ]
    answered = [names(answer, thing.words) for thing, answer in zip(things, answers, strict=True)]
    return Naming(
        len(things),
        len(kinds),
        0.0 if alike else 100 * sum(named) / len(things),
        100 * sum(answered) / len(things),
        alike,
        tuple(
            (thing.photo, thing.kind, caption, answer)
            for thing, caption, answer in zip(things, captions, answers, strict=True)
        ),
    )


def names(text: str, words: Iterable[str]) -> bool:
    """Return whether a text has one of these words, in the singular or the plural."""
    return any(re.search(rf"\b{re.escape(word)}(s|es)?\b", text, re.IGNORECASE) for word in words)


def begins_alike(captions: Sequence[str]) -> bool:
    """Return whether more than half of the captions begin with the same three words."""
    beginnings = Counter(tuple(caption.lower().split()[:BEGINNING]) for caption in captions)
    return 2 * max(beginnings.values(), default=0) > len(captions)


def naming_section(found: Naming, shown: int = 20) -> str:
    """Return the results in Markdown, with ``shown`` evenly spaced examples."""
    spread = [found.said[i * len(found.said) // shown] for i in range(min(shown, len(found.said)))]
    alike = "More than half of the captions begin with the same three words: none counts.\n" if found.alike else ""
    return (
        f"Of {found.photos} photos of {found.kinds} everyday kinds from elsewhere, {found.captions:.1f}% of the "
        f'captions and {found.answers:.1f}% of the answers to "{QUESTION}" name the main thing.\n{alike}\n'
        f"{rows('photo | kind | caption | answer', spread)}"
    )
