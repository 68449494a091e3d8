"""FastAPI with a schema from which clients can be generated."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from omninet.app.http.error_codes import error_codes
from omninet.app.http.routers.tasks import TaskRoutes
from omninet.model.extensions import extensions


class Application(FastAPI):
    """A FastAPI application whose schema has short operation ids and the codes of all errors.

    Args:
        tasks: routes of the served model, on whose inputs the codes depend.
        arguments: of FastAPI.
    """

    def __init__(self, tasks: TaskRoutes, **arguments: Any) -> None:
        super().__init__(generate_unique_id_function=_name_of, **arguments)
        self._tasks = tasks

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI schema of the current routes."""
        schema = super().openapi()
        code = schema["components"]["schemas"]["ErrorBody"]["properties"]["code"]
        if "enum" not in code and not extensions():  # a modality of a user's module may have further codes
            code["enum"] = error_codes(self._tasks.endpoints)
        return schema


def _name_of(route: APIRoute) -> str:
    return route.name
