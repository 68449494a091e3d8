"""The page, and what the service says of itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from omninet.app.http.routers.common import REFUSALS
from omninet.app.http.samples import STATIC
from omninet.app.http.schemas import ErrorReply, ModelName
from omninet.app.http.service import ServiceDependency
from omninet.app.http.task_list import ServedTask, listing

router = APIRouter(tags=["system"], responses=REFUSALS)
health = APIRouter(tags=["system"])  # for everybody, with or without a key


class Status(BaseModel):
    """How the service is."""

    status: Literal["ok"] = "ok"


class Agreement(BaseModel):
    """What the model says beside what it says in float32, both told the same outputs before."""

    outputs: int = Field(description="that were compared")
    clear: int = Field(description="of which float32 is sure")
    flipped: int = Field(description="clear ones for which another class is the likeliest")
    difference: float = Field(description="of log-probabilities, absolute, the mean, in nats")


class ServedModel(ModelName):
    """The model, and where it runs: a copy on each device."""

    devices: list[str]
    precision: str
    agreement: Agreement | None = Field(description="with float32, of a trial at the start, where it is not float32")


class Tasks(BaseModel):
    """What the service can do."""

    model: ServedModel
    tasks: list[ServedTask]


@router.get("/", include_in_schema=False)
def page() -> FileResponse:
    """The page to try everything on."""
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """Interactive documentation; its scripts come from a content network."""
    root = request.scope.get("root_path", "").rstrip("/")
    return get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json", title="OmniNet", swagger_favicon_url=f"{root}/static/icon.svg"
    )


@health.get("/healthz", summary="Is the process alive?")
async def healthz() -> Status:
    """Answers as soon as the server listens."""
    return Status()


@health.get("/readyz", summary="Is the model loaded?", responses={503: {"model": ErrorReply}})
async def readyz(service: ServiceDependency) -> Status:
    """503 until the model can answer."""
    await service.backend.describe()
    return Status()


@router.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
async def metrics(service: ServiceDependency) -> Response:
    """Counters, queues and times since the start."""
    return Response(await service.figures(), media_type=CONTENT_TYPE_LATEST)


@router.get("/tasks", summary="What can be asked", responses={503: {"model": ErrorReply}})
async def tasks(request: Request, service: ServiceDependency) -> Tasks:
    """The tasks with their inputs, outputs, limits and endpoints, and the model that does them."""
    model = await service.backend.describe()
    paths = request.app.openapi()["paths"]
    tags = {path: methods["post"].get("tags", ()) for path, methods in paths.items() if "post" in methods}
    agreement = model.agreement and Agreement(**asdict(model.agreement))
    named = ServedModel(
        name=model.name,
        version=model.version,
        devices=list(model.devices),
        precision=model.precision,
        agreement=agreement,
    )
    return Tasks(model=named, tasks=listing(model.network, service.settings, tags))
