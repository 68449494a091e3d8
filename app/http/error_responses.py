"""Error responses, all of the form ``{"error": {"code", "message", "detail"}}``."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from omninet.app.errors import ServiceError, insufficient_storage, internal_error
from omninet.model.errors import InputError

METHODS = ("DELETE", "GET", "HEAD", "POST")
logger = logging.getLogger(__name__)
FULL_DISK = {errno.ENOSPC, errno.EDQUOT}
TOO_LARGE_SUFFIXES = ("_too_large", "_too_long")  # codes of an InputError with status 413
NOT_FOUND = "task_not_in_checkpoint"  # code of an InputError with status 404; all others have 422

NUMERIC_TYPES = {"int", "float", "constrained-int", "constrained-float"}
MAX_PROBLEMS = 5  # validation errors reported for one request
# pydantic's type of validation error -> code and message.
VALIDATION_MESSAGES = {
    "json_invalid": ("invalid_json", "the body is not valid JSON: {error} at character {place}"),
    "missing": ("missing_part", "the part {field!r} is missing; send it, for example with curl -F {field}=..."),
    "extra_forbidden": ("unknown_field", "there is no field {field!r}; /docs lists the fields of each endpoint"),
    "model_attributes_type": ("invalid_value", 'the body must be an object such as {{"text": "A dog runs."}}'),
}


def error_response(
    status: int, code: str, message: str, detail: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """Return the JSON response of an error."""
    # json.dumps escapes to ASCII: the message may quote a lone surrogate, which UTF-8 cannot encode.
    body = {"error": {"code": code, "message": message, "detail": dict(detail)}}
    return Response(json.dumps(body, separators=(",", ":")), status, dict(headers or {}), "application/json")


def note_code(scope: MutableMapping[str, Any], code: str) -> None:
    """Store the code of a request's error in its scope, for logs and metrics."""
    scope.setdefault("state", {})["error_code"] = code


def code_of(scope: Mapping[str, Any]) -> str:
    """Return the code stored by ``note_code``; empty without an error."""
    code: str = scope.get("state", {}).get("error_code", "")
    return code


async def send_error(error: ServiceError, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an error response, from middleware."""
    note_code(scope, error.code)
    await response_of(error)(scope, receive, send)


def add_error_handlers(app: FastAPI) -> None:
    """Convert exceptions meant for clients to error responses; the middleware converts all others."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(InputError, _input_error)


def response_of(error: InputError | ServiceError) -> Response:
    """Return the HTTP response of an error."""
    if isinstance(error, ServiceError):
        return error_response(error.status_code, error.code, error.message, error.details, error.headers)
    return error_response(_status_of(error), error.code, error.message, error.detail)


def _status_of(error: InputError) -> int:
    if error.code == NOT_FOUND:
        return 404
    return 413 if error.code.endswith(TOO_LARGE_SUFFIXES) else 422


def _input_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    note_code(request.scope, error.code)
    return response_of(error)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError | MemoryError):
        error = _body_not_stored(error.__cause__)
    if isinstance(error, ServiceError):
        note_code(request.scope, error.code)
        return response_of(error)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        error.headers = {**(error.headers or {}), "Allow": ", ".join(_allowed(request))}
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_")
    note_code(request.scope, code)
    return error_response(status, code, _http_message(request, error), {"path": request.url.path}, error.headers)


def _allowed(request: Request) -> list[str]:
    """Return the methods of all routes of a path; each route knows its own alone."""
    routes = request.app.routes
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    return [name for name, scope in scopes.items() if any(each.matches(scope)[0] is Match.FULL for each in routes)]


def _body_not_stored(cause: OSError | MemoryError) -> ServiceError:
    """Log why the server failed to read a body, for which FastAPI blames the client, and return the error for it."""
    is_full = isinstance(cause, OSError) and cause.errno in FULL_DISK
    hint = "free space in the temporary folder (TMPDIR), or make it larger" if is_full else "see the cause"
    logger.error("a request body could not be stored; %s: %s", hint, cause, exc_info=None if is_full else cause)
    return insufficient_storage() if is_full else internal_error()


def _http_message(request: Request, error: HTTPException) -> str:
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"there is nothing at {path}; /tasks lists the endpoints"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{request.method} is not allowed at {path}; use {allowed}"
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return f"the body cannot be read: {error.detail}"
    return error.detail


def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # pydantic also reports that an optional value is not None, which is of no use, since a form cannot contain None.
    relevant = [item for item in error.errors() if item["type"] != "none_required"]
    problems = [_problem(item, error.body) for item in relevant[:MAX_PROBLEMS]]
    code = problems[0]["code"]
    note_code(request.scope, code)
    message = "; ".join(problem["message"] for problem in problems)
    return error_response(400 if code == "invalid_json" else 422, code, message, {"problems": problems})


def _problem(item: Mapping[str, Any], body: Any) -> dict[str, str]:
    """Return code, message and field of a pydantic validation error."""
    # The location continues after the field with the members of its union type that were tried; they are omitted.
    names = [*item["loc"][1:2], *(part for part in item["loc"][2:] if not _is_type_name(part))]
    field = "" if item["type"] == "json_invalid" else ".".join(map(str, names))[:80]
    code, message = _code_and_message(item, field, body)
    return {"code": code, "message": message, "field": field}


def _is_type_name(part: str | int) -> bool:
    return part in NUMERIC_TYPES or str(part).startswith(("function-", "literal["))


def _code_and_message(item: Mapping[str, Any], field: str, body: Any) -> tuple[str, str]:
    kind, sent = item["type"], body.get(field) if isinstance(body, Mapping) else None
    if kind == "missing" and not field:
        return "missing_body", 'the body is missing; send JSON such as {"text": "A dog runs."}'
    if kind == "missing" and isinstance(sent, str):
        return f"empty_{field}", f"the part {field!r} is empty; fill it in"
    if kind == "value_error" and isinstance(sent, str):
        return "not_a_file", f"the part {field!r} must be a file, as curl -F {field}=@FILE sends it"
    code, words = VALIDATION_MESSAGES.get(kind, ("invalid_value", "{what} {message}"))
    if kind == "missing" and isinstance(body, dict):
        words = "the field {field!r} is missing; add it to the object"
    what, message, place = repr(field) if field else "the body", item["msg"], item["loc"][-1]
    return code, words.format(field=field, what=what, message=message, place=place, **item.get("ctx", {}))
