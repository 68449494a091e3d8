"""Captions, at once or word by word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from app.disconnect import until_disconnected
from app.errors import ServiceError, note_code
from app.schemas import CaptionReply, TextForm, Token, caption_reply
from app.service import Answered, Service
from model.answers import Text

Step = Text | Answered

# Proxies may keep a short answer until it is complete; nginx does not if it is told.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "With `stream` server-sent events: a `token` for each subword, then the `answer`, or an `error`",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


async def answer_caption(
    service: Service, request: Request, form: TextForm, **media: Any
) -> CaptionReply | StreamingResponse:
    """The reply to a request for a caption.

    Raises:
        InputError, ServiceError: as ``Service.answer``; once the stream has begun they are its last event.
    """
    if not form.stream:
        return caption_reply(await service.answer(request, "caption", **media, **form.options()))
    texts = service.stream(request, "caption", **media, **form.options())
    first = await until_disconnected(request, _next(texts))
    return StreamingResponse(_events(request, first, texts), media_type="text/event-stream", headers=HEADERS)


async def _next(texts: AsyncIterator[Step]) -> Step:
    return await anext(texts)


async def _events(request: Request, first: Step, others: AsyncIterator[Step]) -> AsyncIterator[str]:
    sent = 0
    try:
        async for found in _chained(first, others):
            text = found.answer if isinstance(found, Answered) else found
            assert isinstance(text, Text)
            for piece in text.tokens[sent:]:
                yield _event("token", Token.model_validate(piece).model_dump_json())
            sent = len(text.tokens)
            if isinstance(found, Answered):
                yield _event("answer", caption_reply(found).model_dump_json())
    except ServiceError as error:
        note_code(request.scope, error.code)
        yield _event("error", bytes(error.response().body).decode())


async def _chained(first: Step, others: AsyncIterator[Step]) -> AsyncIterator[Step]:
    yield first
    async for other in others:
        yield other


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
