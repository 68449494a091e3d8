"""JSON schema of what is written in a picture."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SceneWord(BaseModel):
    """A word: its text, its middle, the corners around it, and its probability.

    ``point`` and ``corners`` are in pixels of the picture as displayed; ``relative`` is in fractions of it.
    """

    model_config = ConfigDict(from_attributes=True)
    text: str
    point: tuple[float, float]
    corners: list[tuple[float, float]]
    relative: list[tuple[float, float]]
    probability: float


class SceneBody(BaseModel):
    """The words in reading order; empty if no word was found."""

    model_config = ConfigDict(from_attributes=True)
    words: list[SceneWord]
