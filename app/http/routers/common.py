"""What the endpoints have in common."""

from __future__ import annotations

from email.message import Message
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from omninet.app.errors import ServiceError
from omninet.app.http.keys import Keyring
from omninet.app.http.schemas import ErrorReply

REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorReply, "description": "The key is missing or unknown"},
    429: {"model": ErrorReply, "description": "Too many requests; try again after Retry-After seconds"},
}
ERRORS: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    400: {"model": ErrorReply, "description": "The body cannot be parsed"},
    408: {"model": ErrorReply, "description": "The body did not arrive in time"},
    413: {"model": ErrorReply, "description": "The input is larger than accepted"},
    415: {"model": ErrorReply, "description": "The body is of another content type"},
    422: {"model": ErrorReply, "description": "The input cannot be used"},
    503: {"model": ErrorReply, "description": "Not ready or overloaded; try again after Retry-After seconds"},
    504: {"model": ErrorReply, "description": "There was no answer before the deadline"},
}

bearer = HTTPBearer(auto_error=False, scheme_name="key", description="A key of this service.")


async def require_admin(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> None:
    """Hold that a request has an admin key, as Bearer: a password of Basic is one that browsers send for other sites.

    Raises:
        ServiceError: ``admin_disabled``, ``missing_admin_key``, ``invalid_admin_key``.
    """
    keys: Keyring = request.app.state.keys
    if not keys.has_admin:
        raise ServiceError(403, "admin_disabled", "nobody may do this, since OMNINET_ADMIN_KEYS is not set")
    challenge = {"WWW-Authenticate": 'Bearer realm="OmniNet"'}
    if credentials is None:
        raise ServiceError(401, "missing_admin_key", "send Authorization: Bearer KEY with an admin key", challenge)
    if not keys.is_admin(credentials.credentials):
        raise ServiceError(401, "invalid_admin_key", "this is no admin key", challenge)


async def timeout(
    x_timeout_seconds: Annotated[
        Annotated[float, Field(gt=0, allow_inf_nan=False)] | SkipJsonSchema[None],
        Header(description="After which nobody waits for the answer any more"),
    ] = None,
) -> None:
    """Check the header that shortens the deadline."""


async def require_multipart(request: Request) -> None:
    """Hold that the body is a form with files in which no part comes twice.

    Raises:
        ServiceError: ``unsupported_media_type``, ``repeated_part``.
    """
    _require("multipart/form-data", request, "as curl -F does")
    form = await request.form()
    for name in form:
        if len(form.getlist(name)) > 1:
            raise ServiceError(422, "repeated_part", f"the part {name!r} came more than once; send it once", part=name)


async def require_json(request: Request) -> None:
    """Hold that the body is JSON.

    Raises:
        ServiceError: ``unsupported_media_type``.
    """
    _require("application/json", request, "as curl --json does")


def _require(expected: str, request: Request, hint: str) -> None:
    given = Message()
    given["content-type"] = request.headers.get("content-type", "")
    if given.get_content_type() != expected:
        stated = request.headers.get("content-type") or "nothing"
        raise ServiceError(
            415,
            "unsupported_media_type",
            f"the body must be {expected}, {hint}; the Content-Type says {stated}",
            expected=expected,
        )
