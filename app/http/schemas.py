"""Pydantic models of responses and errors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ModelName(BaseModel):
    """Name and version of the model that answered."""

    name: str
    version: str


class Timings(BaseModel):
    """Milliseconds by stage. ``queue`` is the time spent waiting for a media decoder or for the model."""

    decode_media: float
    prepare: float
    queue: float
    encode: float
    decode: float
    total: float


class ExplainedToken(BaseModel):
    """Where one token of the answer came from.

    ``frames`` (t) and ``words`` are attention weights, averaged over all layers and heads; together they sum to 1.
    ``cells`` (t, rows, columns) say how much the token's log-probability depends on each cell; they sum to 1, or are
    all 0 if it depends on none.
    """

    text: str
    frames: list[float]
    words: list[float]
    cells: list[list[list[float]]]


class ExplainedLayers(BaseModel):
    """Attention weights of each layer, head and token.

    ``steps`` (layers, heads, tokens, frames + words); ``cells`` (layers, heads, tokens, frames, rows, columns).
    """

    steps: list[list[list[list[float]]]]
    cells: list[list[list[list[list[list[float]]]]]] | None


class FramedBody(BaseModel):
    """Part of each picture that the cells cover.

    ``treatment`` is how the picture was fitted to a square, ``share`` the covered fraction of the square's side,
    ``window`` the position of the covered part and ``aspect`` the width of the whole picture divided by its height.
    """

    treatment: str
    share: float
    window: str
    aspect: float


class ExplanationBody(BaseModel):
    """Where an answer came from.

    ``method`` is how ``cells`` were computed, ``milliseconds`` what the whole explanation took. ``times`` are the times
    of a video's frames in seconds; empty ``words`` are the begin and end of the question.
    """

    method: str
    milliseconds: float
    grid: list[int] = Field(description="Rows and columns of cells of a frame.")
    framing: FramedBody
    times: list[float]
    words: list[str]
    tokens: list[ExplainedToken]
    layers: ExplainedLayers | None = None


class Reply(BaseModel):
    """Fields of every response of a task; ``notes`` are remarks about the input, such as that it was shortened.

    ``confidence`` is the calibrated probability that the answer is right. Below the task's ``confidence.threshold`` in
    ``GET /tasks`` answers are wrong at least as often as right. It is null if the checkpoint is not calibrated.
    """

    confidence: float | None
    model: ModelName
    timings_ms: Timings
    notes: list[str]


class ExplainedReply(Reply):
    """Response of a task with attention weights; ``explanation`` is present only if it was requested."""

    explanation: ExplanationBody | None = None


class ErrorBody(BaseModel):
    """An error: ``code`` for programs, ``message`` for people, ``detail`` with the values concerned."""

    code: str
    message: str
    detail: dict[str, Any]


class ErrorReply(BaseModel):
    """Response body of every error."""

    error: ErrorBody
