"""Errors that the service answers with; app/http/error_responses.py makes responses of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException


class ServiceError(HTTPException):
    """An error response that a client can act on.

    Args:
        status: HTTP status.
        code: stable, machine-readable name of the problem.
        message: what is wrong and what to do, for people.
        headers: further headers of the response.
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


def _service_error(
    status: int, code: str, message: str, headers: Mapping[str, str] | None, detail: Mapping[str, Any]
) -> ServiceError:
    return ServiceError(status, code, message, headers, **detail)


def client_closed() -> ServiceError:
    """Return the error for a request whose client has disconnected; it reaches only logs and metrics."""
    return ServiceError(499, "client_closed_request", "the client closed the connection")


def overloaded(message: str) -> ServiceError:
    """Return the error for a request that is rejected because a queue is full."""
    return ServiceError(503, "overloaded", message, {"Retry-After": "1"})


def shutting_down() -> ServiceError:
    """Return the error for a request during shutdown."""
    return ServiceError(503, "shutting_down", "the server is stopping; try again soon", {"Retry-After": "5"})


def deadline_exceeded(seconds: float) -> ServiceError:
    """Return the error for a request that exceeded its deadline of ``seconds``."""
    message = f"there was no answer within {seconds:g} seconds; allow more time, or try again when the load is lower"
    return ServiceError(504, "deadline_exceeded", message, seconds=seconds)


def internal_error() -> ServiceError:
    """Return the error for a failure of the server, whose details are only logged."""
    return ServiceError(
        500, "internal_error", "the server failed on this request, not because of its input; see the server log"
    )


def insufficient_storage() -> ServiceError:
    """Return the error for an upload that the server has no room to store while it is read."""
    return ServiceError(
        507, "insufficient_storage", "the server has no disk space left for the upload; try again later, or send less"
    )
