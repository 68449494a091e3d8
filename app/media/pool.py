"""A pool of sandboxed processes for decoding untrusted files, with a limited queue."""

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
    """A pool of sandboxes, so that a slow or malicious file affects only its own request.

    Args:
        modalities: name of each peripheral -> its modality, which decodes files.
        limits: of time, memory and size for each file.
        processes: number of sandboxes.
        max_waiting: maximum number of files waiting for a sandbox; more are rejected.
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
        """Start the processes; takes seconds.

        Raises:
            RuntimeError: a process does not start.
            ClosedError: the pool has been closed.
        """
        for sandbox in self._sandboxes:
            sandbox.start()

    async def run(self, work: Callable[[Sandbox], T]) -> T:
        """Run ``work`` in a thread as soon as a sandbox is free and return its result.

        ``work`` never runs if the call is cancelled before.

        Raises:
            ServiceError: ``overloaded``: too many files are waiting; ``shutting_down``: the pool was closed meanwhile.
        """
        if not self._room:
            raise overloaded("too many uploads are waiting to be decoded; try again in a moment")
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, work)
        finally:
            self._room += 1

    def busy(self) -> int:
        """Return the number of sandboxes in use."""
        return len(self._sandboxes) - self._idle.qsize()

    def waiting(self) -> int:
        """Return the number of files waiting for a sandbox."""
        return max(0, len(self._sandboxes) + self._max_waiting - self._room - self.busy())

    def replaced(self) -> int:
        """Return the number of processes that were replaced by a new one."""
        return sum(max(0, sandbox.processes - 1) for sandbox in self._sandboxes)

    def close(self) -> None:
        """Cancel waiting files and kill the processes."""
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
