"""Heartbeat of the model process, by which the server notices that the process hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
BEAT_S = 1.0  # the process sends a message at least this often
MOST_MISSED = 30  # intervals in a row without a message after which the process is considered to hang


class Heartbeat:
    """Counts intervals in which a process has sent nothing.

    It counts intervals instead of measuring time: where the whole machine, or the server with all its processes, was
    suspended, only one interval is missed.
    """

    def __init__(self) -> None:
        self._missed = 0

    def beat(self) -> None:
        """Note that a message has arrived."""
        self._missed = 0

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of ``work``, which calls ``beat`` for each message; cancel it when the messages stop.

        Raises:
            TimeoutError: no message has arrived for ``MOST_MISSED`` intervals in a row.
        """
        working, silence = asyncio.ensure_future(work), asyncio.ensure_future(self._silence())
        try:
            await asyncio.wait({working, silence}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise TimeoutError(f"the process has sent nothing for {MOST_MISSED * BEAT_S:g} seconds")
        finally:
            working.cancel()
            silence.cancel()

    async def _silence(self) -> None:
        while self._missed < MOST_MISSED:
            await asyncio.sleep(BEAT_S)
            self._missed += 1
