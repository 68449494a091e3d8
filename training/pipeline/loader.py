"""Background loading of batches."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from types import TracebackType

from omninet.training.pipeline.batches import Batch

AHEAD = 4


class Loader:
    """Prefetches batches from a stream in a background thread, in order.

    Attributes:
        waited: total seconds that ``next`` has waited for batches.
    """

    def __init__(self, stream: Iterator[Batch]) -> None:
        self.waited = 0.0
        self._stream = stream
        self._ready: queue.Queue[Batch | BaseException] = queue.Queue(AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def next(self) -> Batch:
        """Return the next batch; exceptions of the thread are raised here."""
        started = time.perf_counter()
        found = self._ready.get()
        self.waited += time.perf_counter() - started
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """Stop the thread."""
        self._closed.set()
        while not self._ready.empty():
            self._ready.get_nowait()
        self._thread.join()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _fill(self) -> None:
        try:
            for batch in self._stream:
                self._put(batch)
                if self._closed.is_set():
                    return
        except BaseException as error:  # re-raised in the training thread by ``next``
            self._put(error)

    def _put(self, found: Batch | BaseException) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._ready.put(found, timeout=0.1)
                return
