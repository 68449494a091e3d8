"""The web page, health checks, metrics and the list of tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from omninet.app.errors import ServiceError
from omninet.app.http.routers.common import REFUSALS
from omninet.app.http.samples import STATIC
from omninet.app.http.schemas import ErrorReply, ModelName
from omninet.app.http.service import ServiceDependency
from omninet.app.http.task_list import ServedTask, list_tasks

router = APIRouter(tags=["system"], responses=REFUSALS)
health = APIRouter(tags=["system"])  # needs no key
NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": ErrorReply}}
# With response_class=Response, so that errors of these routes are JSON in the schema.
TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
FRESH = {"Cache-Control": "no-cache"}
Handler = TypeVar("Handler", bound=Callable[..., Any])


def readable(routes: APIRouter, path: str, **options: Any) -> Callable[[Handler], Handler]:
    """Return a decorator that adds a handler for GET, and for HEAD without a mention in the schema."""

    def add(handler: Handler) -> Handler:
        routes.get(path, **options)(handler)
        routes.head(path, **options | {"include_in_schema": False})(handler)
        return handler

    return add


class Status(BaseModel):
    """Result of a health check."""

    status: Literal["ok"] = "ok"


class AgreementBody(BaseModel):
    """Comparison of the model with float32 by teacher forcing: both predict each output from the same prefix."""

    outputs: int = Field(description="Number of outputs that were compared.")
    clear: int = Field(description="Number of outputs with a clear winner in float32.")
    flipped: int = Field(description="Number of clear outputs whose likeliest class differs.")
    difference: float = Field(description="Mean absolute difference of log-probabilities in nats.")


class ServedModel(ModelName):
    """The model that is served; there is a replica on each device."""

    devices: list[str]
    precision: str
    agreement: AgreementBody | None = Field(description="Comparison with float32 at the start; null in float32.")
    licence: str = Field(description="First line of the licence of the weights; empty if none is stated.")
    summary: str = Field(description="First paragraph of the model card on one line; empty without one.")


class Tasks(BaseModel):
    """The model and its tasks."""

    model: ServedModel
    tasks: list[ServedTask]
    index: bool = Field(description="Whether pictures can be indexed and searched: `/index` and `/search`.")


@readable(router, "/", include_in_schema=False)
def page() -> FileResponse:
    """Return the web page."""
    return FileResponse(STATIC / "index.html", headers=FRESH)


@readable(router, "/docs", include_in_schema=False)
def docs() -> FileResponse:
    """Return the interactive API documentation."""
    return FileResponse(STATIC / "docs.html", headers=FRESH)


@readable(health, "/healthz", summary="Is the process alive?")
async def healthz() -> Status:
    """Respond 200 as soon as the server listens."""
    return Status()


@readable(health, "/readyz", summary="Is the model loaded?", responses=NOT_READY)
async def readyz(service: ServiceDependency) -> Status:
    """Respond 200 if the model is ready, 503 otherwise."""
    await service.backend.describe()
    return Status()


@readable(router, "/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
async def metrics(service: ServiceDependency) -> Response:
    """Return counters, queue lengths and durations since the start in the Prometheus text format."""
    return Response(await service.metrics_text(), media_type=CONTENT_TYPE_LATEST)


@readable(router, "/tasks", summary="List the tasks", responses=NOT_READY)
async def tasks(request: Request, service: ServiceDependency) -> Tasks:
    """Return the served model and its tasks with their inputs, outputs, limits and endpoints."""
    model = await service.backend.describe()
    paths = request.app.openapi()["paths"]
    tags = {path: methods["post"].get("tags", ()) for path, methods in paths.items() if "post" in methods}
    agreement = model.agreement and AgreementBody(**asdict(model.agreement))
    named = ServedModel(
        name=model.name,
        version=model.version,
        devices=list(model.devices),
        precision=model.precision,
        agreement=agreement,
        licence=model.documents.licence_name,
        summary=model.documents.summary,
    )
    served = list_tasks(model.network, service.settings, tags, model.thresholds)
    return Tasks(model=named, tasks=served, index="/search" in paths)


@readable(router, "/model-card", summary="Model card", response_class=Response, responses=TEXT | NOT_READY)
async def model_card(service: ServiceDependency) -> PlainTextResponse:
    """Return the model card of the served checkpoint, Markdown as plain text: data, limits, measurements."""
    model = await service.backend.describe()
    return PlainTextResponse(model.documents.card, headers=FRESH)


@readable(
    router,
    "/model-licence",
    summary="Licence of the weights",
    response_class=Response,
    responses=TEXT | NOT_READY | {404: {"model": ErrorReply, "description": "The checkpoint states no licence"}},
)
async def model_licence(service: ServiceDependency) -> PlainTextResponse:
    """Return the licence of the weights of the served checkpoint."""
    model = await service.backend.describe()
    if not model.documents.licence:
        raise ServiceError(404, "no_licence", "the checkpoint has no file LICENSE; ask those who made it")
    return PlainTextResponse(model.documents.licence, headers=FRESH)
