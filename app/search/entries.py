"""Entries of an index of pictures."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
NAMESPACE = uuid.UUID("7f9d3c1e-2f4b-4f0e-9b57-1f6f0b1c6a55")  # of the ids of entries, chosen at random


@dataclass(frozen=True)
class Identity:
    """What makes vectors comparable: those of another identity are in another space.

    Attributes:
        model: digest of the weights.
        exits: names of the vectors of an entry.
        width: of each vector.
    """

    model: str
    exits: tuple[str, ...]
    width: int


@dataclass(frozen=True)
class ReadWord:
    """A word that is written in a picture.

    Attributes:
        probability: that it is there and says this.
        corners: around it, from the top left one of the text clockwise, as fractions of the picture.
    """

    text: str
    probability: float
    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Entry:
    """A picture in an index, as it is shown.

    Attributes:
        id: name of the entry: given by the client, or made from the content.
        digest: SHA-256 of the picture's file, hexadecimal.
        source: where the picture is, such as its path; empty if unknown.
        caption: what the model says of it.
        text: text that came with it.
        entities: names that the text mentions.
        metadata: values by which searches may be filtered.
        words: that are written in the picture; empty if it was not read.
    """

    id: str
    digest: str
    source: str = ""
    caption: str = ""
    text: str = ""
    entities: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[ReadWord, ...] = ()


@dataclass(frozen=True)
class NewEntry:
    """An entry to add.

    Attributes:
        vectors: exit -> vector of unit length, (width,).
        thumbnail: a JPEG file.
    """

    entry: Entry
    vectors: Mapping[str, Vector]
    thumbnail: bytes


@dataclass(frozen=True)
class Hit:
    """An entry that a search found.

    Attributes:
        score: cosine of its vector and that of the search; None for a search without a vector.
        found: words that are written in the picture and were looked for.
    """

    entry: Entry
    score: float | None
    found: tuple[ReadWord, ...] = ()


@dataclass(frozen=True)
class Added:
    """Result of adding an entry.

    Attributes:
        id: of the entry that now has this content.
        created: False if the content was there already, or an entry of this id was replaced.
    """

    id: str
    created: bool


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def id_of(digest: str) -> str:
    """Return the id of an entry whose client gives none: a UUID that depends on the content alone."""
    return str(uuid.uuid5(NAMESPACE, digest))


def folded(text: str) -> str:
    """Return a text in the form in which texts are compared: without differences of case."""
    return text.casefold()
