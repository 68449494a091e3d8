"""Request deadlines: the ``X-Timeout-Seconds`` header and the time limit on processing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from omninet.app.errors import deadline_exceeded

T = TypeVar("T")
HEADER = "X-Timeout-Seconds"
LEAST_SECONDS = 0.001  # a shorter time-out has passed before a request reaches the model


def timeout_seconds(headers: Mapping[str, str], longest: float) -> float:
    """Return the time-out of a request in seconds.

    Args:
        headers: with an optional ``X-Timeout-Seconds``, which has been validated.
        longest: upper limit in seconds, and the default without the header.
    """
    return min(float(headers.get(HEADER, longest)), longest)


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of ``work``; cancel it after ``seconds``.

    Raises:
        ServiceError: ``deadline_exceeded``: ``work`` did not finish in time.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
    finally:
        # Break the reference cycle limit -> task -> traceback -> limit, which would keep the upload in memory.
        del limit
    # Raised outside the except block, so that the TimeoutError, which references the task, is not chained to it.
    raise deadline_exceeded(seconds)
