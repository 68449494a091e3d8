"""The index of pictures: add, look up, remove, search."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from omninet.app.errors import ServiceError
from omninet.app.http.disconnect import until_disconnected
from omninet.app.http.routers.common import ERRORS, require_multipart, timeout
from omninet.app.http.schemas import ErrorReply
from omninet.app.http.search.bodies import AddedReply, EntryReply, IndexForm, IndexReply, SearchForm, SearchReply
from omninet.app.http.search.requests import EMBED, add_picture, describe_index, entry_fields, find_pictures
from omninet.app.http.service import ServiceDependency
from omninet.app.search.service import IndexService
from omninet.model.network_config import OmniNetConfig

MULTIPART = [Depends(require_multipart), Depends(timeout)]
INDEX_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorReply, "description": "There is no such entry, or the model lacks a task"},
    409: {"model": ErrorReply, "description": "The vectors of the index are of another model, exit or width"},
}


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
    _add_index(router, index)
    _add_entries(router, index)
    _add_search(router, index)
    return router


def _add_index(router: APIRouter, index: IndexService) -> None:
    """Add the routes of the whole index."""

    @router.post(
        "/index",
        summary="Add a picture to the index",
        status_code=201,
        dependencies=MULTIPART,
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
        added = await until_disconnected(request, add_picture(index, service, form, request))
        response.status_code = 201 if added.created else 200
        return added

    @router.get("/index", summary="What the index holds")
    async def info() -> IndexReply:
        """Return the number of entries, the size on disk, and what the vectors are of."""
        return await describe_index(index)


def _add_entries(router: APIRouter, index: IndexService) -> None:
    """Add the routes of an entry."""

    @router.get("/index/{id}", summary="Look up an entry")
    async def get(id: str) -> EntryReply:  # noqa: A002 - the name in the path
        """Return what is kept of a picture."""
        entry = await index.run(lambda opened: opened.get(id))
        if entry is None:
            raise _unknown(id)
        return EntryReply(**entry_fields(entry))

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


def _add_search(router: APIRouter, index: IndexService) -> None:
    """Add the route of searches."""

    @router.post("/search", summary="Find pictures", dependencies=MULTIPART)
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
        return await until_disconnected(request, find_pictures(index, service, form, request))


def _unknown(name: str) -> ServiceError:
    return ServiceError(404, "not_in_index", f"the index has no entry {name!r}", id=name)
