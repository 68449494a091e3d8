"""The index of pictures: add, look up, remove, search."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Form, Request, Response, UploadFile
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from omninet.app.backend import Upload
from omninet.app.errors import ServiceError
from omninet.app.http.disconnect import until_disconnected
from omninet.app.http.fields import UNICODE, NotThere
from omninet.app.http.forms import RequestForm
from omninet.app.http.routers.common import ERRORS, require_multipart, timeout
from omninet.app.http.schemas import ErrorReply, ModelName
from omninet.app.http.service import Service, ServiceDependency
from omninet.app.http.text_limits import check_length
from omninet.app.search.entries import Entry, Identity, NewEntry, Vector, digest_of, id_of
from omninet.app.search.searching import MOST_HITS, SearchRequest, query_of, ranked, with_thumbnails
from omninet.app.search.service import IndexService
from omninet.app.search.thumbnails import thumbnail_of
from omninet.model.errors import InputError
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs.embedding.exits import EXITS
from omninet.model.tasks import not_in_checkpoint

CAPTION, EMBED, ENTITIES, MATCH, IMAGE = "caption", "embed", "entities", "match", "image"
MOST_METADATA = 16 * 1024  # bytes
MOST_NAME, MOST_SOURCE = 128, 4096  # characters
INDEX_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorReply, "description": "There is no such entry, or the model lacks a task"},
    409: {"model": ErrorReply, "description": "The vectors of the index are of another model, exit or width"},
}


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


class SearchForm(RequestForm):
    """Request body of POST /search; at least one of text, image, entity and contains."""

    text: PlainText | NotThere = Field(None, description="What to look for.")
    image: UploadFile | NotThere = Field(None, description="Look for pictures that are like this one.")
    entity: PlainText | NotThere = Field(None, description="A name that the text of a picture mentions.")
    contains: PlainText | NotThere = Field(None, description="A part of the text of a picture.")
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


class EntryReply(BaseModel):
    """What is kept of a picture, besides vectors and a thumbnail."""

    id: str
    source: str
    caption: str
    text: str
    entities: list[str]
    metadata: dict[str, Any]


class HitReply(EntryReply):
    """A hit; ``score`` is the cosine of the first stage, ``rerank_score`` the log-odds of the second."""

    score: float | None
    rerank_score: float | None


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


class SearchRoutes:
    """Routes of an index, which the schema lists if the served model embeds.

    Attributes:
        router: to be included in the application once.
    """

    def __init__(self, index: IndexService) -> None:
        self.router = APIRouter()
        self._index = index

    def serve(self, network: OmniNetConfig) -> None:
        """Replace all routes by those for a model."""
        routes = _routes(self._index, in_schema=EMBED in network.tasks).routes if self._index.is_on else []
        self.router.routes.clear()
        self.router.routes.extend(routes)


def _routes(index: IndexService, in_schema: bool) -> APIRouter:
    """Return the routes of an index."""
    router = APIRouter(tags=["search"], responses={**ERRORS, **INDEX_ERRORS}, include_in_schema=in_schema)
    multipart = [Depends(require_multipart), Depends(timeout)]

    @router.post(
        "/index",
        summary="Add a picture to the index",
        status_code=201,
        dependencies=multipart,
        responses={200: {"model": AddedReply, "description": "The picture was there, or an entry was replaced"}},
    )
    async def add(
        form: Annotated[IndexForm, Form(media_type="multipart/form-data")],
        service: ServiceDependency,
        request: Request,
        response: Response,
    ) -> AddedReply:
        """Keep the vectors of a picture, a caption and a thumbnail; the picture itself is not kept.

        The same file twice is one entry; another file with the same `id` replaces the entry.

        ```sh
        curl -F image=@photo.jpg -F source=photo.jpg -F 'metadata={"year": 2020}' http://127.0.0.1:8000/index
        ```
        """
        added = await until_disconnected(request, _add(index, service, form, request))
        response.status_code = 201 if added.created else 200
        return added

    @router.get("/index", summary="What the index holds")
    async def info() -> IndexReply:
        """Return the number of entries, the size on disk, and what the vectors are of."""
        count, size, identity = await index.run(lambda opened: (opened.count(), opened.size(), opened.identity()))
        known = identity or Identity("", (), 0)
        return IndexReply(
            count=count, bytes=size, model=known.model or None, exits=list(known.exits), width=known.width or None
        )

    @router.get("/index/{id}", summary="Look up an entry")
    async def get(id: str) -> EntryReply:  # noqa: A002 - the name in the path
        """Return what is kept of a picture."""
        entry = await index.run(lambda opened: opened.get(id))
        if entry is None:
            raise _unknown(id)
        return EntryReply(**_shown(entry))

    @router.get(
        "/index/{id}/thumbnail",
        summary="The thumbnail of an entry",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
    )
    async def thumbnail(id: str) -> Response:  # noqa: A002 - the name in the path
        """Return a JPEG file whose longer side has at most 256 pixels."""
        found = await index.run(lambda opened: opened.thumbnail(id))
        if found is None:
            raise _unknown(id)
        return Response(found, media_type="image/jpeg")

    @router.delete("/index/{id}", summary="Remove an entry", status_code=204)
    async def remove(id: str) -> None:  # noqa: A002 - the name in the path
        """Remove everything that is kept of a picture."""
        if not await index.run(lambda opened: opened.remove([id])):
            raise _unknown(id)

    @router.post("/search", summary="Find pictures", dependencies=multipart)
    async def search(
        form: Annotated[SearchForm, Form(media_type="multipart/form-data")],
        service: ServiceDependency,
        request: Request,
    ) -> SearchReply:
        """Find pictures by a text, by a picture, by a name in their texts or by a part of these.

        ```sh
        curl -F 'text=two dogs on a beach' http://127.0.0.1:8000/search
        ```
        """
        return await until_disconnected(request, _search(index, service, form, request))

    return router


async def _add(index: IndexService, service: Service, form: IndexForm, request: Request) -> AddedReply:
    metadata = _metadata(form.metadata)
    check_length([("text", form.text or "")], service.settings.max_text_characters)
    data = await form.image.read()
    digest = digest_of(data)
    found = await index.run(lambda opened: opened.find(digest))
    if found is not None:
        return AddedReply(id=found.id, created=False)
    model = await service.backend.describe()
    exits = tuple(reversed(EXITS))
    asked: list[tuple[str, Mapping[str, Any]]] = [(EMBED, {"exit": name}) for name in exits]
    asked += [(CAPTION, {"beams": 1})] if CAPTION in model.network.tasks else []
    answered, decoded = await service.ask_all(request, asked, _uploads(model.network, EMBED, data))
    names = await _names_in(service, request, model.network, form.text or "")
    answers: Sequence[Any] = [each.answer for each in answered]
    entry = Entry(
        form.id or id_of(digest),
        digest,
        form.source or "",
        answers[-1].caption if CAPTION in model.network.tasks else "",
        form.text or "",
        names,
        metadata,
    )
    vectors = {name: _vector(answer) for name, answer in zip(exits, answers, strict=False)}
    new = NewEntry(entry, vectors, thumbnail_of(decoded[IMAGE]))
    identity = Identity(model.digest, exits, len(vectors[exits[0]]))
    (added,) = await index.run(lambda opened: opened.add([new], identity))
    return AddedReply(id=added.id, created=added.created)


async def _names_in(service: Service, request: Request, network: OmniNetConfig, text: str) -> tuple[str, ...]:
    """Return the entities of a text; none if the model does not find any."""
    if ENTITIES not in network.tasks or not text.strip():
        return ()
    answered, _ = await service.ask_all(request, [(ENTITIES, {"text": text})], ())
    answer: Any = answered[0].answer
    names: tuple[str, ...] = answer.names
    return names


async def _search(index: IndexService, service: Service, form: SearchForm, request: Request) -> SearchReply:
    given = SearchRequest(
        form.text or "",
        await form.image.read() if form.image else None,
        form.limit,
        form.exit,
        form.rerank,
        form.filter,
        form.entity or "",
        form.contains or "",
    )
    given.check()
    check_length([("text", given.text)], service.settings.max_text_characters)
    model = await service.backend.describe()
    vector = await _vector_of(service, request, model.network, given) if given.needs_model else None
    hits, seen = await index.run(
        lambda opened: with_thumbnails(opened, opened.search(query_of(given, vector)), given.rerank)
    )
    scores = [await _match(service, request, model.network, thumbnail, given.text) for thumbnail in seen]
    return SearchReply(
        hits=[
            HitReply(**_shown(hit.entry), score=hit.score, rerank_score=second)
            for hit, second in ranked(given, hits, scores)
        ],
        model=ModelName(name=model.name, version=model.version),
    )


async def _vector_of(service: Service, request: Request, network: OmniNetConfig, given: SearchRequest) -> Vector:
    inputs: dict[str, Any] = {"exit": given.exit} | ({"text": given.text} if given.text else {})
    uploads = () if given.image is None else _uploads(network, EMBED, given.image)
    answered, _ = await service.ask_all(request, [(EMBED, inputs)], uploads)
    return _vector(answered[0].answer)


async def _match(service: Service, request: Request, network: OmniNetConfig, thumbnail: bytes, text: str) -> float:
    answered, _ = await service.ask_all(request, [(MATCH, {"text": text})], _uploads(network, MATCH, thumbnail))
    answer: Any = answered[0].answer
    return float(answer.score)


def _uploads(network: OmniNetConfig, task: str, data: bytes) -> tuple[Upload, ...]:
    """Return a picture as the upload of a task.

    Raises:
        InputError: ``task_not_in_checkpoint``, or ``unexpected_input``: the task was loaded for texts alone.
    """
    if task not in network.tasks:
        raise not_in_checkpoint([task], list(network.tasks))
    known = network.keywords(network.tasks[task])
    if IMAGE not in known:
        raise InputError("unexpected_input", f"task {task} was loaded without its input {IMAGE}", input=IMAGE)
    wanted, form = known[IMAGE]
    return (Upload(IMAGE, wanted.peripheral, form, io.BytesIO(data)),)


def _metadata(text: str | None) -> dict[str, Any]:
    """Read the metadata of an entry.

    Raises:
        InputError: ``invalid_metadata``: it is no JSON object, or too long.
    """
    if text is None:
        return {}
    if len(text.encode()) > MOST_METADATA:
        raise _invalid(f"it has {len(text.encode()):,} bytes; at most {MOST_METADATA:,} are accepted")
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"it is no valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise _invalid("it must be an object")
    if "\\u0000" in json.dumps(found):
        raise _invalid("it must not contain the character U+0000")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _invalid(why: str) -> InputError:
    example = '{"year": 2020, "places": ["Rome"]}'
    return InputError("invalid_metadata", f"metadata cannot be used: {why}; an example: {example}", field="metadata")


def _vector(answer: Any) -> Vector:
    return np.asarray(answer.vector, np.float32)


def _shown(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in EntryReply.model_fields}


def _unknown(name: str) -> ServiceError:
    return ServiceError(404, "not_in_index", f"the index has no entry {name!r}", id=name)
