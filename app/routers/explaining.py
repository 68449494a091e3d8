"""Answers that say what the model looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from app.backend import Answered
from app.schemas import ExplainForm, ExplanationBody, SeenReply
from app.service import Service
from model.heatmaps import draw

R = TypeVar("R", bound=SeenReply)

PICTURE = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
SEEN: dict[str, Any] = {"response_model_exclude_unset": True, "responses": {200: {"content": PICTURE}}}


async def answer(
    service: Service,
    request: Request,
    task: str,
    form: ExplainForm,
    reply: Callable[[Answered], R],
    **inputs: Any,
) -> R | Response:
    """The reply to a request, with what it asks to be explained.

    Raises:
        InputError, ServiceError: as ``Service.answer``.
    """
    done = await service.answer(request, task, explain=form.wanted, **inputs)
    if form.wanted is None:
        return reply(done)
    return await run_in_threadpool(_explained, done, form, reply)  # numbers by the hundred thousand take their time


def _explained(done: Answered, form: ExplainForm, reply: Callable[[Answered], SeenReply]) -> Response:
    if form.format == "png":
        assert done.frames is not None
        assert done.explanation is not None
        return Response(draw(done.frames, done.explanation), media_type="image/png")
    body = with_explanation(reply(done), done, form)
    return Response(body.model_dump_json(exclude_unset=True), media_type="application/json")


def with_explanation(body: R, done: Answered, form: ExplainForm) -> R:
    """A reply that has what it was asked to explain."""
    if done.explanation is not None:
        body.explanation = ExplanationBody(**done.explanation.to_dict(layers=form.explain_layers))
    return body
