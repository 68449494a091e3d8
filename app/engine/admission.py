"""Admission: how many rows a replica may take from the queue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from omninet.app.engine.work import Kind, Work, WorkQueue


class Intake:
    """Takes work from the queue for one replica, up to a limit for each kind of work.

    Args:
        queue: shared by all replicas.
        room: maximum number of rows of each kind in progress.
    """

    def __init__(self, queue: WorkQueue, room: Mapping[Kind, int]) -> None:
        self.queue = queue
        self._limits, self._room = room, dict(room)
        self._suspended = 0

    @property
    def held(self) -> int:
        """Number of rows in progress: taken and not yet released."""
        return sum(self._limits.values()) - sum(self._room.values())

    def take(self, kinds: Collection[Kind]) -> list[Work]:
        """Take the oldest works of the given kinds, as far as the limits allow; none while suspended."""
        with self.queue.changed:
            works = self.queue.take({kind: self._room[kind] for kind in kinds if not self._suspended})
            for work in works:
                self._room[work.kind] -= 1
            return works

    def release(self, works: Collection[Work]) -> None:
        """Free the places of works that are completed or abandoned."""
        with self.queue.changed:
            for work in works:
                self._room[work.kind] += 1
            self.queue.changed.notify_all()

    def suspend(self) -> None:
        """Take no more work until ``resume``; calls nest."""
        with self.queue.changed:
            self._suspended += 1

    def resume(self) -> None:
        """Undo one ``suspend``."""
        with self.queue.changed:
            self._suspended -= 1
            self.queue.changed.notify_all()

    def wait(
        self,
        kinds: Collection[Kind],
        ready: Callable[[], bool] = lambda: False,
        over: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Block until work of the given kinds can be taken.

        Args:
            kinds: kinds of work to wait for.
            ready: whether there is other work to do; ends the wait.
            over: whether no other work will come.

        Returns:
            True if there is work; False at the end: the queue is closed and empty for this replica, and ``over()``.
        """

        def waiting(capacity: Mapping[Kind, int]) -> bool:
            return not self._suspended and any(capacity[kind] and self.queue.depths()[kind] for kind in kinds)

        def has_work() -> bool:
            return ready() or waiting(self._room)

        with self.queue.changed:
            self.queue.changed.wait_for(
                lambda: has_work() or (self.queue.is_closed and over() and not waiting(self._limits))
            )
            return has_work()
