"""Questions about an image."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from app.routers.common import ERRORS, require_multipart, timeout
from app.routers.streaming import EVENTS, answer_caption
from app.schemas import MULTIPART, AnswerReply, CaptionReply, ImageCaption, ImageQuestion, answer_reply
from app.service import ServiceDependency

router = APIRouter(dependencies=[Depends(require_multipart), Depends(timeout)], responses=ERRORS)


@router.post("/caption", response_model=CaptionReply, responses=EVENTS, tags=["caption"], summary="Describe an image")
async def caption(
    form: Annotated[ImageCaption, MULTIPART], service: ServiceDependency, request: Request
) -> CaptionReply | StreamingResponse:
    """A sentence about an image.

    ```sh
    curl -s http://127.0.0.1:8000/static/samples/dog.jpg | curl -F image=@- http://127.0.0.1:8000/caption
    ```
    """
    return await answer_caption(service, request, form, image=form.image)


@router.post("/vqa", tags=["vqa"], summary="Answer a question about an image")
async def vqa(form: Annotated[ImageQuestion, MULTIPART], service: ServiceDependency, request: Request) -> AnswerReply:
    """The answer to a question about an image, and the five most probable ones.

    ```sh
    curl -s http://127.0.0.1:8000/static/samples/room.jpg |
      curl -F image=@- -F 'question=What is on the table?' http://127.0.0.1:8000/vqa
    ```
    """
    return answer_reply(await service.answer(request, "vqa", image=form.image, question=form.question))
