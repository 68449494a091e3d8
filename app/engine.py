"""The queue and the batches: one thread owns the model."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from app.errors import ServiceError, internal_error, overloaded
from model.decoding import Decoded
from model.predictor import Job, Predictor, Row

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What the model made of a job.

    Attributes:
        decoded: one for each row of the job.
        encode_ms, decode_ms: time of the batches that the rows were part of.
    """

    decoded: list[Decoded]
    encode_ms: float
    decode_ms: float


@dataclass
class _Waiting:
    """A row in the queue, and where its result, with the start of its batch, is awaited."""

    row: Row
    future: Future[tuple[Decoded, float]] = field(default_factory=Future)


class Engine:
    """Runs whatever is waiting, up to ``batch_rows``, as soon as the model is free.

    An idle engine starts at once; while it is busy, the next batch grows by itself.
    """

    def __init__(self, predictor: Predictor, *, batch_rows: int = 32, max_waiting: int = 512) -> None:
        self.predictor = predictor
        self._batch_rows = batch_rows
        self._max_waiting = max_waiting
        self._waiting: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    async def stop(self) -> None:
        """Refuse new jobs, answer those that were accepted, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)

    async def run(self, job: Job) -> Result:
        """Wait for a job's turn and its result; cancelled, its rows leave the queue.

        Raises:
            ServiceError: ``overloaded``, ``shutting_down``, or ``internal_error`` if the model failed on it.
        """
        futures = self._submit(job.rows)
        try:
            done = await asyncio.gather(*map(asyncio.wrap_future, futures))
        finally:
            for future in futures:
                future.cancel()
        batches = {started: decoded for decoded, started in done}.values()
        return Result(
            [decoded for decoded, _ in done],
            sum(decoded.encode_ms for decoded in batches),
            sum(decoded.decode_ms for decoded in batches),
        )

    def _submit(self, rows: Sequence[Row]) -> list[Future[tuple[Decoded, float]]]:
        added = [_Waiting(row) for row in rows]
        with self._wake:
            if self._stopping:
                raise ServiceError(503, "shutting_down", "the server is stopping; try again soon", {"Retry-After": "5"})
            if len(self._waiting) >= self._max_waiting:
                self._waiting = deque(item for item in self._waiting if not item.future.cancelled())
            # Any job fits into a queue with room, however many rows it has: else a long text would never be taken.
            if len(self._waiting) >= self._max_waiting:
                raise overloaded("too many requests are waiting for the model; try again in a moment")
            self._waiting.extend(added)
            self._wake.notify()
        return [item.future for item in added]

    def _serve(self) -> None:
        while batch := self._next_batch():
            self._run(batch)

    def _next_batch(self) -> list[_Waiting]:
        """Rows that somebody still waits for, at least one; none only when the engine has stopped."""
        with self._wake:
            while True:
                batch: list[_Waiting] = []
                while self._waiting and len(batch) < self._batch_rows:
                    item = self._waiting.popleft()
                    if item.future.set_running_or_notify_cancel():
                        batch.append(item)
                if batch or self._stopping:
                    return batch
                self._wake.wait()

    def _run(self, batch: list[_Waiting]) -> None:
        """Give every row of the batch its result or its error, whatever happens."""
        started = time.perf_counter()
        try:
            decoded = self.predictor.run([item.row for item in batch])
            pairs = list(zip(batch, decoded, strict=True))
        except Exception as error:
            failure = error
        else:
            for item, result in pairs:
                item.future.set_result((result, started))
            return
        if len(batch) == 1:
            logger.error("the model failed on a row", exc_info=failure)
            batch[0].future.set_exception(internal_error())
            return
        logger.warning("a batch of %d rows failed (%s); each is now run alone", len(batch), failure)
        for item in batch:
            self._run([item])
