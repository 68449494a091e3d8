"""Request and response bodies of the index."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from omninet.app.http.fields import UNICODE, NotThere
from omninet.app.http.forms import RequestForm
from omninet.app.http.schemas import ModelName
from omninet.app.search.searching import MOST_HITS

MOST_NAME, MOST_SOURCE = 128, 4096  # characters


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise PydanticCustomError("nul_character", "must not contain the character U+0000")
    return text


PlainText = Annotated[str, UNICODE, AfterValidator(_without_nul)]


class IndexForm(RequestForm):
    """Request body of POST /index."""

    image: UploadFile = Field(..., description="The picture; it is not kept.")
    id: Annotated[PlainText, Field(min_length=1, max_length=MOST_NAME)] | NotThere = Field(
        None, description="Name of the entry; by default it is made from the content."
    )
    source: Annotated[PlainText, Field(max_length=MOST_SOURCE)] | NotThere = Field(
        None, description="Where the picture is, such as its path or address."
    )
    metadata: PlainText | NotThere = Field(
        None, description="A JSON object of at most 16 KiB; searches can be filtered by its fields."
    )
    text: PlainText | NotThere = Field(None, description="A text that belongs to the picture.")
    read: bool = Field(False, description="Read what is written in the picture, so that `contains` finds it.")


class SearchForm(RequestForm):
    """Request body of POST /search; at least one of text, image, entity and contains."""

    text: PlainText | NotThere = Field(None, description="What to look for.")
    image: UploadFile | NotThere = Field(None, description="Look for pictures that are like this one.")
    entity: PlainText | NotThere = Field(None, description="A name that the text of a picture mentions.")
    contains: PlainText | NotThere = Field(None, description="A part of a picture's text, or words in it.")
    limit: int = Field(10, ge=1, le=MOST_HITS, description="Maximum number of hits.")
    exit: Literal["fast", "balanced", "best"] = Field("best", description="Which vectors are compared.")
    rerank: int = Field(0, ge=0, le=MOST_HITS, description="Number of hits that the second stage sees.")
    filter: PlainText = Field(
        "{}", description='JSON: {"field": value | [values] | {"gte": x, "lte": y}}; all must hold.'
    )


class AddedReply(BaseModel):
    """An entry that was added, or was there."""

    id: str
    created: bool


class WordReply(BaseModel):
    """A word that is written in a picture; the corners are fractions of it, clockwise from the top left of the text."""

    model_config = ConfigDict(from_attributes=True)
    text: str
    probability: float
    corners: list[tuple[float, float]]


class EntryReply(BaseModel):
    """What is kept of a picture, besides vectors and a thumbnail."""

    id: str
    source: str
    caption: str
    text: str
    entities: list[str]
    metadata: dict[str, Any]
    words: list[WordReply]


class HitReply(EntryReply):
    """A hit; ``score`` is the cosine of the first stage, ``rerank_score`` the log-odds of the second.

    ``found`` are the written words that ``contains`` asks for.
    """

    score: float | None
    rerank_score: float | None
    found: list[WordReply]


class SearchReply(BaseModel):
    """Hits, the best first."""

    hits: list[HitReply]
    model: ModelName


class IndexReply(BaseModel):
    """What the index holds; ``model`` is the digest of the model that made its vectors, null if it is empty."""

    count: int
    bytes: int
    model: str | None
    exits: list[str]
    width: int | None
