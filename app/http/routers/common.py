"""Dependencies and error responses shared by the routers."""

from __future__ import annotations

from email.message import Message
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.openapi.models import HTTPBase
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.base import SecurityBase
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from omninet.app.errors import ServiceError
from omninet.app.http.deadline import LEAST_SECONDS
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
    415: {"model": ErrorReply, "description": "The Content-Type of the body is not supported"},
    422: {"model": ErrorReply, "description": "The input cannot be used"},
    503: {"model": ErrorReply, "description": "Not ready or overloaded; try again after Retry-After seconds"},
    504: {"model": ErrorReply, "description": "There was no answer before the deadline"},
    507: {"model": ErrorReply, "description": "The server has no disk space left for the upload"},
}

bearer = HTTPBearer(auto_error=False, scheme_name="key", description="A key of this service.")


class Documented(SecurityBase):
    """A security scheme for the schema alone: the middleware ``ApiKeys`` checks the keys.

    Args:
        name: of the scheme in the schema.
        model: of the scheme.
    """

    def __init__(self, name: str, model: SecurityModel) -> None:
        self.scheme_name, self.model = name, model

    async def __call__(self) -> None:
        """Accept every request."""


# Either is enough.
SECURITY = (
    Documented("key", HTTPBearerModel(description="A key of this service.")),
    Documented("password", HTTPBase(scheme="basic", description="A key as the password, with any user name.")),
)


async def require_admin(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> None:
    """Require an admin key as a Bearer token.

    HTTP Basic is not accepted, since browsers attach stored passwords to requests that other sites forge (CSRF).

    Raises:
        ServiceError: ``admin_disabled``, ``missing_admin_key``, ``invalid_admin_key``.
    """
    keys: Keyring = request.app.state.keys
    if not keys.has_admin:
        raise ServiceError(403, "admin_disabled", "administration is disabled; set OMNINET_ADMIN_KEYS to enable it")
    challenge = {"WWW-Authenticate": 'Bearer realm="OmniNet"'}
    if credentials is None:
        raise ServiceError(401, "missing_admin_key", "send Authorization: Bearer KEY with an admin key", challenge)
    if not keys.is_admin(credentials.credentials):
        raise ServiceError(
            401, "invalid_admin_key", "the key is not an admin key; use a key of OMNINET_ADMIN_KEYS", challenge
        )


async def timeout(
    x_timeout_seconds: Annotated[
        Annotated[float, Field(ge=LEAST_SECONDS, allow_inf_nan=False)] | SkipJsonSchema[None],
        Header(description="Deadline of the request in seconds; OMNINET_DEADLINE_SECONDS if that is shorter"),
    ] = None,
) -> None:
    """Validate the header ``X-Timeout-Seconds``, which shortens the deadline."""


async def require_multipart(request: Request) -> None:
    """Require a multipart/form-data body without repeated parts.

    Raises:
        ServiceError: ``unsupported_media_type``, ``repeated_part``.
    """
    _require("multipart/form-data", request, "as curl -F does")
    form = await request.form()
    for name in form:
        if len(form.getlist(name)) > 1:
            raise ServiceError(
                422, "repeated_part", f"the part {name!r} was sent more than once; send it once", part=name
            )


async def require_json(request: Request) -> None:
    """Require a JSON body.

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
            f"the body must be {expected}, {hint}; the Content-Type is {stated}",
            expected=expected,
        )
