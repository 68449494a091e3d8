"""Entries to fill indexes with."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from omninet.app.search.entries import Entry, Identity, NewEntry, Vector, digest_of, id_of

IDENTITY = Identity("0" * 64, ("fast", "best"), 16)
NAMES = ("Anna", "Rome", "Straße", "Peter Pan")


def unit(*seed: int) -> Vector:
    """Return a random vector of unit length."""
    vector = np.random.default_rng(seed).normal(size=IDENTITY.width).astype(np.float32)
    found: Vector = vector / np.linalg.norm(vector)
    return found


def entry(number: int, **changes: Any) -> Entry:
    """Return an entry whose text and metadata depend on its number."""
    draw = random.Random(number)
    digest = digest_of(str(number).encode())
    name = NAMES[number % len(NAMES)]
    values: dict[str, Any] = {
        "id": id_of(digest),
        "digest": digest,
        "source": f"photos/{number}.jpg",
        "caption": f"a photo of {number}",
        "text": f"{name} in {1990 + number}",
        "entities": (name,),
        "metadata": {
            "year": 1990 + number % 30,
            "size": draw.choice([1, 2.5, "large", True]),
            "tags": draw.sample(["red", "green", "blue", 7], 2),
            "place": {"city": "Rome"},
        },
    }
    return Entry(**(values | changes))


def new(number: int, **changes: Any) -> NewEntry:
    """Return an entry to add, with its vectors."""
    vectors = {name: unit(number, i) for i, name in enumerate(IDENTITY.exits)}
    return NewEntry(entry(number, **changes), vectors, f"thumbnail {number}".encode())
