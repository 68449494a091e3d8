"""What one replica has of the queue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from omninet.app.engine.work import Kind, Work, WorkQueue


class Intake:
    """Takes work from the queue, as much of each kind as there is room for.

    Args:
        room: rows of each kind that may be taken and not answered at a time.
    """

    def __init__(self, queue: WorkQueue, room: Mapping[Kind, int]) -> None:
        self.queue = queue
        self._limits, self._room = room, dict(room)
        self._suspended = 0

    @property
    def held(self) -> int:
        """Rows that are taken and not answered."""
        return sum(self._limits.values()) - sum(self._room.values())

    def take(self, kinds: Collection[Kind]) -> list[Work]:
        """The oldest of these kinds."""
        with self.queue.changed:
            works = self.queue.take({kind: self._room[kind] for kind in kinds if not self._suspended})
            for work in works:
                self._room[work.kind] -= 1
            return works

    def release(self, works: Collection[Work]) -> None:
        """Have room again: these are answered, or nobody waits for them."""
        with self.queue.changed:
            for work in works:
                self._room[work.kind] += 1
            self.queue.changed.notify_all()

    def suspend(self) -> None:
        """Take nothing more."""
        with self.queue.changed:
            self._suspended += 1

    def resume(self) -> None:
        """Go on, once for every time that it was suspended."""
        with self.queue.changed:
            self._suspended -= 1
            self.queue.changed.notify_all()

    def wait(
        self,
        kinds: Collection[Kind],
        ready: Callable[[], bool] = lambda: False,
        over: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Until something of these kinds can be taken.

        Args:
            ready: whether there is something else to do.
            over: whether nothing else will come.

        Returns:
            False at the end: the queue is closed, none of it is for this replica, and nothing else will come.
        """

        def waiting(somewhere: Mapping[Kind, int]) -> bool:
            return not self._suspended and any(somewhere[kind] and self.queue.depths()[kind] for kind in kinds)

        def has_work() -> bool:
            return ready() or waiting(self._room)

        with self.queue.changed:
            self.queue.changed.wait_for(
                lambda: has_work() or (self.queue.is_closed and over() and not waiting(self._limits))
            )
            return has_work()
