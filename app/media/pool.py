"""Untrusted files: where they are decoded, and how many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from omninet.app.errors import overloaded, shutting_down
from omninet.app.media.sandbox import ClosedError, Limits, Sandbox
from omninet.model.modalities import Modality

T = TypeVar("T")


class MediaPool:
    """Processes that decode, so that a slow or deadly file holds up or ends nothing but itself.

    Args:
        modalities: name of each peripheral -> what decodes for it.
        processes: files that are decoded at the same time.
        max_waiting: files that wait for that; more are refused.
    """

    def __init__(self, modalities: Mapping[str, Modality], limits: Limits, processes: int, max_waiting: int) -> None:
        self._sandboxes = [Sandbox(modalities, limits) for _ in range(processes)]
        self._idle: SimpleQueue[Sandbox] = SimpleQueue()
        for sandbox in self._sandboxes:
            self._idle.put(sandbox)
        self._executor = ThreadPoolExecutor(processes, "media")
        self._max_waiting = max_waiting
        self._room = processes + max_waiting

    def start(self) -> None:
        """Start the processes; it takes seconds."""
        for sandbox in self._sandboxes:
            sandbox.start()

    async def run(self, work: Callable[[Sandbox], T]) -> T:
        """Do ``work`` with a process when its turn comes; cancelled before that, it is never done.

        Raises:
            ServiceError: ``overloaded``, too much is waiting; ``shutting_down``, it was closed meanwhile.
        """
        if not self._room:
            raise overloaded("too many uploads are waiting to be decoded; try again in a moment")
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, work)
        finally:
            self._room += 1

    def busy(self) -> int:
        """Processes that decode."""
        return len(self._sandboxes) - self._idle.qsize()

    def waiting(self) -> int:
        """Uploads that no process has taken."""
        return max(0, len(self._sandboxes) + self._max_waiting - self._room - self.busy())

    def replaced(self) -> int:
        """Processes that another one has taken the place of."""
        return sum(max(0, sandbox.processes - 1) for sandbox in self._sandboxes)

    def close(self) -> None:
        """End the processes."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        for sandbox in self._sandboxes:
            sandbox.close()

    def _run(self, work: Callable[[Sandbox], T]) -> T:
        sandbox = self._idle.get()
        try:
            return work(sandbox)
        except ClosedError:
            raise shutting_down() from None
        finally:
            self._idle.put(sandbox)
