"""The endpoints of the tasks that the model has: a route for each use of a task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature
from typing import Any

from fastapi import APIRouter, Body, Depends, Form, Request, Response
from starlette.concurrency import run_in_threadpool

from omninet.app.backend import Answered
from omninet.app.http.endpoints import Endpoint, endpoints_of
from omninet.app.http.examples import description_of, examples_of
from omninet.app.http.fields import annotated
from omninet.app.http.forms import Asking, ExplainForm
from omninet.app.http.routers.common import ERRORS, require_json, require_multipart, timeout
from omninet.app.http.routers.streaming import EVENTS, WHAT, stream
from omninet.app.http.schemas import Reply
from omninet.app.http.service import Service, ServiceDependency
from omninet.app.http.text_limits import check_length
from omninet.model.explain.heatmaps import draw
from omninet.model.network_config import OmniNetConfig

MULTIPART = Form(media_type="multipart/form-data")
PICTURE = {"image/png": {"schema": {"type": "string", "format": "binary"}}}


class TaskRoutes:
    """The routes of the tasks of the model that is served; another model may bring others.

    A path that the application answers by a route of its own, included before, keeps that.

    Attributes:
        router: to be included once.
    """

    def __init__(self) -> None:
        self.router = APIRouter(responses=ERRORS)

    def serve(self, network: OmniNetConfig) -> None:
        """Offer what a network has, and nothing else."""
        added = [(endpoint, _route(endpoint)) for endpoint in endpoints_of(network)]
        self.router.routes.clear()
        for endpoint, route in added:
            self.router.add_api_route(endpoint.path, _handler(endpoint), **route)


def _route(endpoint: Endpoint) -> dict[str, Any]:
    """The arguments of a route, for FastAPI."""
    content = (PICTURE if endpoint.explains else {}) | (EVENTS if endpoint.output.streams else {})
    said = {"description": WHAT} if endpoint.output.streams else {}
    return {
        "methods": ["POST"],
        "name": endpoint.use.name.replace("-", "_"),
        "response_model": endpoint.reply,
        "response_model_exclude_unset": endpoint.output.explains,
        "responses": {200: {**said, "content": content}} if content else {},
        "tags": [endpoint.task.name],
        "summary": endpoint.title,
        "description": description_of(endpoint),
        "dependencies": [Depends(require_multipart if endpoint.is_multipart else require_json), Depends(timeout)],
    }


def _handler(endpoint: Endpoint) -> Callable[..., Awaitable[Any]]:
    """What FastAPI calls; it reads of the signature what the body must be."""

    async def handle(form: Asking, service: Service, request: Request) -> Reply | Response:
        return await _answer(endpoint, form, service, request)

    body = MULTIPART if endpoint.is_multipart else Body(openapi_examples=examples_of(endpoint))
    annotations = {"form": annotated(endpoint.form, body), "service": ServiceDependency, "request": Request}
    parameters = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in annotations.items()]
    handle.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return handle


async def _answer(endpoint: Endpoint, form: Asking, service: Service, request: Request) -> Reply | Response:
    """The reply to a request, with what it asks to be explained.

    Raises:
        InputError, ServiceError: as ``Service.answer``.
    """
    values = endpoint.values(form)
    roles = [(field.input.role, values[field.name]) for field in endpoint.fields if field.name in values]
    check_length(roles, service.settings.max_text_characters)
    inputs = values | endpoint.options(form) | {"explain": form.wanted}
    if getattr(form, "stream", False):
        return await stream(endpoint, form, service, request, inputs)
    done = await service.answer(request, endpoint.task.name, inputs, endpoint.uploads(form))
    if form.wanted is None:
        return endpoint.reply_to(done, form)
    return await run_in_threadpool(_explained, endpoint, form, done)  # numbers by the hundred thousand take their time


def _explained(endpoint: Endpoint, form: Asking, done: Answered) -> Response:
    if isinstance(form, ExplainForm) and form.format == "png":
        assert done.frames is not None
        assert done.explanation is not None
        return Response(draw(done.frames, done.explanation), media_type="image/png")
    body = endpoint.reply_to(done, form)
    return Response(body.model_dump_json(exclude_unset=True), media_type="application/json")
