"""One shape for every error: ``{"error": {"code", "message", "detail"}}``."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from omninet.model.errors import InputError

TOO_MUCH = ("_too_large", "_too_long")  # ends of the codes of an InputError whose status is 413; of all others 422

KINDS = {"int", "float", "constrained-int", "constrained-float"}
MOST_PROBLEMS = 5  # told of one request
# Codes and messages for the kinds of validation error that can occur.
IN_WORDS = {
    "json_invalid": ("invalid_json", "the body is not valid JSON: {error} at character {place}"),
    "missing": ("missing_part", "the part {field!r} is missing; send it as curl -F {field}=... does"),
    "extra_forbidden": ("unknown_field", "there is no field {field!r} here; /docs lists the fields"),
    "model_attributes_type": ("invalid_value", 'the body must be an object such as {{"text": "A dog runs."}}'),
}


class ServiceError(HTTPException):
    """An answer other than the one asked for, which a client can act on.

    Args:
        code: stable, machine-readable name of the problem.
        message: what is wrong and what would be right, for a person.
        detail: JSON values that locate the problem.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None, **detail: Any
    ) -> None:
        super().__init__(status, message, headers=headers)
        self.code = code
        self.message = message
        self.details = detail

    def __reduce__(self) -> tuple[Any, ...]:
        return _service_error, (self.status_code, self.code, self.message, self.headers, self.details)

    def response(self) -> Response:
        """As HTTP."""
        return error_response(self.status_code, self.code, self.message, self.details, self.headers)


def _service_error(
    status: int, code: str, message: str, headers: Mapping[str, str] | None, detail: Mapping[str, Any]
) -> ServiceError:
    return ServiceError(status, code, message, headers, **detail)


def client_closed() -> ServiceError:
    """The client has gone; nobody will see it."""
    return ServiceError(499, "client_closed_request", "the client closed the connection")


def overloaded(message: str) -> ServiceError:
    """There is more work than the service takes on."""
    return ServiceError(503, "overloaded", message, {"Retry-After": "1"})


def shutting_down() -> ServiceError:
    """The service takes on nothing any more."""
    return ServiceError(503, "shutting_down", "the server is stopping; try again soon", {"Retry-After": "5"})


def deadline_exceeded(seconds: float) -> ServiceError:
    """The answer would have come too late."""
    message = f"there was no answer within {seconds:g} seconds; allow more time, or try again when there is less to do"
    return ServiceError(504, "deadline_exceeded", message, seconds=seconds)


def internal_error() -> ServiceError:
    """Something of ours failed; the server's log knows what, a client learns nothing of it."""
    return ServiceError(500, "internal_error", "the server failed on this request; it is not your input's fault")


def error_response(
    status: int, code: str, message: str, detail: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """An error in the one shape."""
    # Escaped to ASCII, since it may quote text that is no valid Unicode.
    body = {"error": {"code": code, "message": message, "detail": dict(detail)}}
    return Response(json.dumps(body, separators=(",", ":")), status, dict(headers or {}), "application/json")


def note_code(scope: MutableMapping[str, Any], code: str) -> None:
    """Remember with a request which error it is answered with."""
    scope.setdefault("state", {})["error_code"] = code


def code_of(scope: Mapping[str, Any]) -> str:
    """The code that was noted; empty where the answer is no error."""
    code: str = scope.get("state", {}).get("error_code", "")
    return code


async def refuse(error: ServiceError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with an error, from outside the endpoints."""
    note_code(scope, error.code)
    await error.response()(scope, receive, send)


def add_error_handlers(app: FastAPI) -> None:
    """Turn what endpoints raise to tell a client into the one shape; failures of ours are left to the middleware."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(InputError, _input_error)


def response_of(error: InputError | ServiceError) -> Response:
    """As HTTP."""
    if isinstance(error, ServiceError):
        return error.response()
    status = 413 if error.code.endswith(TOO_MUCH) else 422
    return error_response(status, error.code, error.message, error.detail)


def _input_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    note_code(request.scope, error.code)
    return response_of(error)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, ServiceError):
        note_code(request.scope, error.code)
        return error.response()
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_")
    note_code(request.scope, code)
    return error_response(status, code, _http_message(request, error), {"path": request.url.path}, error.headers)


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
    # A value that may be left out is checked against nothing, too, which no form can hold.
    told = [item for item in error.errors() if item["type"] != "none_required"]
    problems = [_problem(item, error.body) for item in told[:MOST_PROBLEMS]]
    code = problems[0]["code"]
    note_code(request.scope, code)
    message = "; ".join(problem["message"] for problem in problems)
    return error_response(400 if code == "invalid_json" else 422, code, message, {"problems": problems})


def _problem(item: Mapping[str, Any], body: Any) -> dict[str, str]:
    """One validation error in our words: a code, a message and the name of the field."""
    # Behind the name of a field there may be the kinds of value that it was held against.
    names = [*item["loc"][1:2], *(part for part in item["loc"][2:] if not _is_kind(part))]
    field = "" if item["type"] == "json_invalid" else ".".join(map(str, names))[:80]
    code, message = _in_words(item, field, body)
    return {"code": code, "message": message, "field": field}


def _is_kind(part: str | int) -> bool:
    return part in KINDS or str(part).startswith("function-")


def _in_words(item: Mapping[str, Any], field: str, body: Any) -> tuple[str, str]:
    kind, sent = item["type"], body.get(field) if isinstance(body, Mapping) else None
    if kind == "missing" and not field:
        return "missing_body", 'the body is missing; send JSON such as {"text": "A dog runs."}'
    if kind == "missing" and isinstance(sent, str):
        return f"empty_{field}", f"the part {field!r} is empty; fill it in"
    if kind == "value_error" and isinstance(sent, str):
        return "not_a_file", f"the part {field!r} must be a file, as curl -F {field}=@FILE sends it"
    code, words = IN_WORDS.get(kind, ("invalid_value", "{what} {message}"))
    what, message, place = repr(field) if field else "the body", item["msg"], item["loc"][-1]
    return code, words.format(field=field, what=what, message=message, place=place, **item.get("ctx", {}))
