"""Routes of the model's tasks, one for each use of a task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature
from typing import Any

from fastapi import APIRouter, Body, Depends, Form, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from omninet.app.backend import Prediction
from omninet.app.http.endpoints import Endpoint, endpoints_of, ordered_tasks
from omninet.app.http.examples import description_of, examples_of
from omninet.app.http.fields import annotated
from omninet.app.http.forms import ExplainForm, RequestForm
from omninet.app.http.routers.common import ERRORS, require_json, require_multipart, timeout
from omninet.app.http.routers.streaming import EVENT_STREAM_CONTENT, STREAM_DESCRIPTION, stream
from omninet.app.http.schemas import Reply
from omninet.app.http.service import Service, ServiceDependency
from omninet.app.http.text_limits import check_length
from omninet.model.errors import InputError
from omninet.model.explain.heatmaps import draw
from omninet.model.network_config import OmniNetConfig
from omninet.model.tasks import TASKS
from omninet.model.uses import missing_tasks, not_in_checkpoint

FORM = "multipart/form-data"
MULTIPART = Form(media_type=FORM)
PNG_CONTENT = {"image/png": {"schema": {"type": "string", "format": "binary"}}}


class FormRoute(APIRoute):
    """A route for multipart forms; requests with JSON go to another route with the same path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match requests with a multipart body."""
        is_form = Headers(scope=scope).get("content-type", "").lower().startswith(FORM)
        return super().matches(scope) if is_form else (Match.NONE, {})


class TaskRoutes:
    """Routes of the served model's tasks, replaced when another model is loaded.

    Routes of the application that were included earlier take precedence over a task with the same path.

    Attributes:
        router: to be included in the application once.
        endpoints: those of the model that is served.
    """

    def __init__(self) -> None:
        self.router = APIRouter(responses=ERRORS)
        self.endpoints: list[Endpoint] = []

    def serve(self, network: OmniNetConfig) -> None:
        """Replace all routes by those of ``network``."""
        self.endpoints = endpoints_of(network)
        json = {endpoint.path for endpoint in self.endpoints if not endpoint.use.beside}
        forms = {each.path: each for each in self.endpoints if each.use.beside and each.path in json}
        added = [(form, _route(form) | AMONG_FORMS) for form in forms.values()]
        others = (endpoint for endpoint in self.endpoints if endpoint not in forms.values())
        added += [(endpoint, _route(endpoint, forms.get(endpoint.path))) for endpoint in others]
        self.router.routes.clear()
        for endpoint, route in added:
            self.router.add_api_route(endpoint.path, _handler(endpoint), **route)
        self._refuse(network)

    def _refuse(self, network: OmniNetConfig) -> None:
        """Add a route with an error for each use of TASKS that the network lacks; the schema has none of them."""
        taken = {endpoint.use.name for endpoint in self.endpoints}
        for name in {use.name: None for task in TASKS.values() for use in task.uses if use.name not in taken}:
            if missing := missing_tasks(name, network.tasks):
                error = not_in_checkpoint(missing, [task.name for task in ordered_tasks(network)])
                self.router.add_api_route(f"/{name}", _refusal(error), methods=["POST"], include_in_schema=False)


# Arguments of ``add_api_route`` for a form at the path of an endpoint with JSON, whose schema has both.
AMONG_FORMS = {"route_class_override": FormRoute, "include_in_schema": False}


def _route(endpoint: Endpoint, form: Endpoint | None = None) -> dict[str, Any]:
    """Return the keyword arguments of ``add_api_route`` for an endpoint, and for the form at the same path if any."""
    also = {} if form is None else {"openapi_extra": {"requestBody": {"content": {FORM: {"schema": _schema(form)}}}}}
    content = (PNG_CONTENT if endpoint.explains else {}) | (EVENT_STREAM_CONTENT if endpoint.streams else {})
    said = {"description": STREAM_DESCRIPTION} if endpoint.streams else {}
    return {
        "methods": ["POST"],
        "name": endpoint.use.name.replace("-", "_"),
        "response_model": endpoint.reply,
        "response_model_exclude_unset": any(output.explains for output in endpoint.outputs),
        "responses": {200: {**said, "content": content}} if content else {},
        "tags": [task.name for each in (endpoint, form) if each for task in each.tasks],
        "summary": endpoint.title,
        "description": description_of(endpoint),
        "dependencies": [Depends(require_multipart if endpoint.is_multipart else require_json), Depends(timeout)],
        **also,
    }


def _schema(form: Endpoint) -> dict[str, Any]:
    """Return the JSON schema of a form."""
    return form.form.model_json_schema()


def _refusal(error: InputError) -> Callable[[], Awaitable[None]]:
    """Return a handler that raises an error."""

    async def refuse() -> None:
        raise InputError(error.code, error.message, **error.detail)

    return refuse


def _handler(endpoint: Endpoint) -> Callable[..., Awaitable[Any]]:
    """Return the handler of an endpoint, with a signature from which FastAPI derives the type of the body."""

    async def handle(form: RequestForm, service: Service, request: Request) -> Reply | Response:
        return await _respond(endpoint, form, service, request)

    body = MULTIPART if endpoint.is_multipart else Body(openapi_examples=examples_of(endpoint))
    annotations = {"form": annotated(endpoint.form, body), "service": ServiceDependency, "request": Request}
    parameters = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in annotations.items()]
    handle.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return handle


async def _respond(endpoint: Endpoint, form: RequestForm, service: Service, request: Request) -> Reply | Response:
    """Return the response to a request: JSON, a picture or a stream of events.

    Raises:
        InputError: the input cannot be used.
        ServiceError: a text is too long, or see ``Service.handle``.
    """
    values = endpoint.values(form)
    roles = [(field.input.role, values[field.name]) for field in endpoint.fields if field.name in values]
    check_length(roles, service.settings.max_text_characters)
    inputs = values | endpoint.options(form) | {"explain": form.explain_mode}
    if getattr(form, "stream", False):
        return await stream(endpoint, form, service, request, inputs)
    done = await service.handle(request, endpoint.chosen(form).name, inputs, endpoint.uploads(form))
    if form.explain_mode is None:
        return endpoint.reply_to(done, form)
    return await run_in_threadpool(_explained, endpoint, form, done)  # serialising many weights takes long


def _explained(endpoint: Endpoint, form: RequestForm, done: Prediction) -> Response:
    if isinstance(form, ExplainForm) and form.format == "png":
        assert done.frames is not None
        assert done.explanation is not None
        return Response(draw(done.frames, done.explanation), media_type="image/png")
    body = endpoint.reply_to(done, form)
    return Response(body.model_dump_json(exclude_unset=True), media_type="application/json")
