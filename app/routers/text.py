"""Questions about a text."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request
from fastapi.openapi.models import Example

from app.routers.common import ERRORS, require_json, timeout
from app.schemas import PosReply, PosRequest, pos_reply
from app.service import ServiceDependency

router = APIRouter(dependencies=[Depends(require_json), Depends(timeout)], responses=ERRORS)
EXAMPLES: dict[str, Example] = {
    "a text": {"value": {"text": "She didn't see the dog. It ran away."}},
    "several texts": {"value": {"text": ["Time flies.", "Fruit flies like a banana."]}},
    "words already split": {"value": {"tokens": ["A", "dog", "runs", "."]}},
}


@router.post("/pos", tags=["pos"], summary="Tag the words of a text")
async def pos(
    body: Annotated[PosRequest, Body(openapi_examples=EXAMPLES)], service: ServiceDependency, request: Request
) -> PosReply:
    """A part-of-speech tag of the Penn Treebank for every word.

    ```sh
    curl --json '{"text": "She saw a dog."}' http://127.0.0.1:8000/pos
    ```
    """
    return pos_reply(await service.answer(request, "pos", text=body.text, tokens=body.tokens))
