"""Questions about a video."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.routers.common import ERRORS, require_multipart, timeout
from app.routers.explaining import SEEN, answer
from app.routers.streaming import TEXT, answer_caption
from app.schemas import (
    MULTIPART,
    ActivityReply,
    AnswerReply,
    CaptionReply,
    VideoCaption,
    VideoForm,
    VideoQuestion,
    activity_reply,
    answer_reply,
)
from app.service import ServiceDependency

router = APIRouter(dependencies=[Depends(require_multipart), Depends(timeout)], responses=ERRORS)


@router.post("/activity", response_model=ActivityReply, **SEEN, tags=["activity"], summary="Recognise an activity")
async def activity(
    form: Annotated[VideoForm, MULTIPART], service: ServiceDependency, request: Request
) -> ActivityReply | Response:
    """What is done in a video, and the five most probable activities.

    ```sh
    curl -s http://127.0.0.1:8000/static/samples/jumping.webm | curl -F video=@- http://127.0.0.1:8000/activity
    ```
    """
    return await answer(service, request, "activity", form, activity_reply, video=form.video)


@router.post("/video-caption", response_model=CaptionReply, **TEXT, tags=["caption"], summary="Describe a video")
async def video_caption(
    form: Annotated[VideoCaption, MULTIPART], service: ServiceDependency, request: Request
) -> CaptionReply | Response:
    """A sentence about a video.

    ```sh
    curl -s http://127.0.0.1:8000/static/samples/waving.webm | curl -F video=@- http://127.0.0.1:8000/video-caption
    ```
    """
    return await answer_caption(service, request, form, video=form.video)


@router.post("/video-qa", response_model=AnswerReply, **SEEN, tags=["vqa"], summary="Answer a question about a video")
async def video_qa(
    form: Annotated[VideoQuestion, MULTIPART], service: ServiceDependency, request: Request
) -> AnswerReply | Response:
    """The answer to a question about a video, and the five most probable ones.

    ```sh
    curl -s http://127.0.0.1:8000/static/samples/waving.webm |
      curl -F video=@- -F 'question=What is the person doing?' http://127.0.0.1:8000/video-qa
    ```
    """
    return await answer(service, request, "vqa", form, answer_reply, video=form.video, question=form.question)
