"""Captions, at once or word by word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from app.backend import Answered
from app.disconnect import until_disconnected
from app.errors import ServiceError, note_code, response_of
from app.routers.explaining import PICTURE, SEEN, answer, with_explanation
from app.schemas import CaptionReply, ExplainForm, ImageCaption, Token, VideoCaption, caption_reply
from app.service import Service
from model.errors import InputError
from model.outputs.text.answer import Text

Step = Text | Answered

# Proxies may keep a short answer until it is complete; nginx does not if it is told.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EVENTS = {"text/event-stream": {"schema": {"type": "string"}}}
WHAT = "The caption; with `stream` server-sent events: a `token` for each subword, then the `answer`, or an `error`"
TEXT: dict[str, Any] = {**SEEN, "responses": {200: {"description": WHAT, "content": {**PICTURE, **EVENTS}}}}


async def answer_caption(
    service: Service, request: Request, form: ImageCaption | VideoCaption, **media: Any
) -> CaptionReply | Response:
    """The reply to a request for a caption.

    Raises:
        InputError, ServiceError: as ``Service.answer``; once the stream has begun they are its last event.
    """
    if not form.stream:
        return await answer(service, request, "caption", form, caption_reply, **media, **form.options())
    if form.format == "png":
        raise InputError("bad_option", "a picture cannot be streamed; leave out stream or format", option="format")
    texts = service.stream(request, "caption", explain=form.wanted, **media, **form.options())
    first = await until_disconnected(request, _next(texts))
    return StreamingResponse(_events(request, form, first, texts), media_type="text/event-stream", headers=HEADERS)


async def _next(texts: AsyncIterator[Step]) -> Step:
    return await anext(texts)


async def _events(request: Request, form: ExplainForm, first: Step, others: AsyncIterator[Step]) -> AsyncIterator[str]:
    sent = 0
    try:
        async for found in _chained(first, others):
            text = found.answer if isinstance(found, Answered) else found
            assert isinstance(text, Text)
            for piece in text.tokens[sent:]:
                yield _event("token", Token.model_validate(piece).model_dump_json())
            sent = len(text.tokens)
            if isinstance(found, Answered):
                yield _event("answer", await run_in_threadpool(_last, found, form))
    except (InputError, ServiceError) as error:
        note_code(request.scope, error.code)
        yield _event("error", bytes(response_of(error).body).decode())


def _last(done: Answered, form: ExplainForm) -> str:
    return with_explanation(caption_reply(done), done, form).model_dump_json(exclude_unset=True)


async def _chained(first: Step, others: AsyncIterator[Step]) -> AsyncIterator[Step]:
    yield first
    async for other in others:
        yield other


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
