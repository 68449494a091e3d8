"""Questions about an image."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.routers.common import ERRORS, require_multipart, timeout
from app.schemas import MULTIPART, AnswerReply, CaptionReply, ImageCaption, ImageQuestion, answer_reply, caption_reply
from app.service import ServiceDependency

router = APIRouter(dependencies=[Depends(require_multipart), Depends(timeout)], responses=ERRORS)


@router.post("/caption", tags=["caption"], summary="Describe an image")
async def caption(
    form: Annotated[ImageCaption, MULTIPART], service: ServiceDependency, request: Request
) -> CaptionReply:
    """A sentence about an image.

    ```sh
    curl -s http://127.0.0.1:8000/static/samples/dog.jpg | curl -F image=@- http://127.0.0.1:8000/caption
    ```
    """
    return caption_reply(await service.answer(request, "caption", image=form.image, **form.options()))


@router.post("/vqa", tags=["vqa"], summary="Answer a question about an image")
async def vqa(form: Annotated[ImageQuestion, MULTIPART], service: ServiceDependency, request: Request) -> AnswerReply:
    """The answer to a question about an image, and the five most probable ones.

    ```sh
    curl -s http://127.0.0.1:8000/static/samples/room.jpg |
      curl -F image=@- -F 'question=What is on the table?' http://127.0.0.1:8000/vqa
    ```
    """
    return answer_reply(await service.answer(request, "vqa", image=form.image, question=form.question))
