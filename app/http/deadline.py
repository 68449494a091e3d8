"""How long a request may take."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from omninet.app.errors import deadline_exceeded

T = TypeVar("T")
HEADER = "X-Timeout-Seconds"


def seconds_of(headers: Mapping[str, str], longest: float) -> float:
    """What a request asks for, its header having been checked, at most ``longest``; without one it is that."""
    return min(float(headers.get(HEADER, longest)), longest)


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, which is cancelled when the time is over.

    Raises:
        ServiceError: ``deadline_exceeded``.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
    finally:
        # It knows the task, which when cancelled keeps the traceback, which would keep it, and the upload with it.
        del limit
    raise deadline_exceeded(seconds)  # out here, where the other error, which knows the task as well, is forgotten
