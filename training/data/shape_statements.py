"""Statements about boxes with shapes, made by rules that also tell whether they are true of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from omninet.training.data.loose_statements import ABOUT_LOOSE
from omninet.training.data.shape_words import Holds
from omninet.training.data.tower_statements import ABOUT_TOWERS


@dataclass(frozen=True)
class Statement:
    """A sentence about a scene.

    Attributes:
        towers: whether it is about scenes with towers; otherwise about loose items.
        holds: tells whether it is true of a scene.
    """

    text: str
    towers: bool
    holds: Holds

    @classmethod
    def random(cls, draw: Random) -> Statement:
        """Return a statement of a rule drawn by chance."""
        towers = draw.random() < 0.5
        text, holds = draw.choice(ABOUT_TOWERS if towers else ABOUT_LOOSE)(draw)
        return cls(f"{text[:1].upper()}{text[1:]}.", towers, holds)
