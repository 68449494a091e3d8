"""Answers and errors, as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ModelName(BaseModel):
    """Which model answered."""

    name: str
    version: str


class Timings(BaseModel):
    """Milliseconds. ``queue`` is the time spent waiting, for a decoder or for the model."""

    decode_media: float
    prepare: float
    queue: float
    encode: float
    decode: float
    total: float


class ExplainedToken(BaseModel):
    """What the model attended to for one token of the answer: the mean over all layers and heads.

    ``frames`` and ``words`` sum to 1 together; ``cells``, of each frame rows of columns, are weights after the gate.
    """

    text: str
    frames: list[float]
    words: list[float]
    cells: list[list[list[float]]]


class ExplainedLayers(BaseModel):
    """The same of each layer, head and token; ``steps`` are frames, then words."""

    steps: list[list[list[list[float]]]]
    cells: list[list[list[list[list[list[float]]]]]] | None


class FramedBody(BaseModel):
    """Which part of each picture the cells cover: ``share`` of the sides it was brought to, from the ``window``."""

    treatment: str
    share: float
    window: str


class ExplanationBody(BaseModel):
    """What the model attended to. ``times`` are those of a video's frames, in seconds; an empty word is no word."""

    grid: list[int] = Field(description="Rows and columns of cells of a frame.")
    framing: FramedBody
    times: list[float]
    words: list[str]
    tokens: list[ExplainedToken]
    layers: ExplainedLayers | None = None


class Reply(BaseModel):
    """What every answer carries; ``notes`` say what is worth knowing of the input."""

    model: ModelName
    timings_ms: Timings
    notes: list[str]


class SeenReply(Reply):
    """The same of what is seen; ``explanation`` is there if it was asked for."""

    explanation: ExplanationBody | None = None


class ErrorBody(BaseModel):
    """What went wrong: ``code`` for programs, ``message`` for people."""

    code: str
    message: str
    detail: dict[str, Any]


class ErrorReply(BaseModel):
    """The shape of every error."""

    error: ErrorBody
