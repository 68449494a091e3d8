"""FastAPI with a schema from which clients can be generated."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from omninet.app.http.error_codes import error_codes
from omninet.app.http.routers.tasks import TaskRoutes
from omninet.model.extensions import extensions


class Application(FastAPI):
    """A FastAPI application whose schema has short operation ids, uploads as ``binary`` and the codes of all errors.

    Args:
        tasks: routes of the served model, on whose inputs the codes depend.
        arguments: of FastAPI.
    """

    def __init__(self, tasks: TaskRoutes, **arguments: Any) -> None:
        super().__init__(generate_unique_id_function=_name_of, **arguments)
        self._tasks = tasks

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI schema of the current routes."""
        former = self.openapi_schema
        schema = super().openapi()
        if schema is not former:
            self._complete(schema)
        return schema

    def _complete(self, schema: dict[str, Any]) -> None:
        _add_format(schema)
        if not extensions():  # a modality of a user's module may have further codes
            schema["components"]["schemas"]["ErrorBody"]["properties"]["code"]["enum"] = error_codes(
                self._tasks.endpoints
            )


def _add_format(schema: Any) -> None:
    """Add ``format: binary`` to uploads, for generators that do not know ``contentMediaType`` of OpenAPI 3.1."""
    if isinstance(schema, list):
        for each in schema:
            _add_format(each)
    elif isinstance(schema, dict):
        if schema.get("contentMediaType") == "application/octet-stream":
            schema["format"] = "binary"
        _add_format(list(schema.values()))


def _name_of(route: APIRoute) -> str:
    return route.name
