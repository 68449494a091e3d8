"""Questions about an image."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.routers.common import ERRORS, require_multipart, timeout
from app.routers.explaining import SEEN, answer
from app.routers.streaming import TEXT, answer_caption
from app.schemas import MULTIPART, AnswerReply, CaptionReply, ImageCaption, ImageQuestion, answer_reply
from app.service import ServiceDependency

router = APIRouter(dependencies=[Depends(require_multipart), Depends(timeout)], responses=ERRORS)


@router.post("/caption", response_model=CaptionReply, **TEXT, tags=["caption"], summary="Describe an image")
async def caption(
    form: Annotated[ImageCaption, MULTIPART], service: ServiceDependency, request: Request
) -> CaptionReply | Response:
    """A sentence about an image.

    ```sh
    curl -s http://127.0.0.1:8000/static/samples/dog.jpg | curl -F image=@- http://127.0.0.1:8000/caption
    ```
    """
    return await answer_caption(service, request, form, image=form.image)


@router.post("/vqa", response_model=AnswerReply, **SEEN, tags=["vqa"], summary="Answer a question about an image")
async def vqa(
    form: Annotated[ImageQuestion, MULTIPART], service: ServiceDependency, request: Request
) -> AnswerReply | Response:
    """The answer to a question about an image, and the five most probable ones.

    ```sh
    curl -s http://127.0.0.1:8000/static/samples/room.jpg |
      curl -F image=@- -F 'question=What is on the table?' http://127.0.0.1:8000/vqa
    ```
    """
    return await answer(service, request, "vqa", form, answer_reply, image=form.image, question=form.question)
