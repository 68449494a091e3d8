"""The inference engine: replicas of the model behind one queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from omninet.app.engine.metrics import EngineMetrics
from omninet.app.engine.replica import Replica
from omninet.app.engine.work import Watch, Work, WorkQueue
from omninet.app.errors import internal_error
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.job import Job
from omninet.model.predictor import Predictor
from omninet.model.processor import Processor

# Eight frames of the bundled model. Larger batches hardly raise the throughput, and images wait longer among videos.
PIXELS = 8 * 224**2


@dataclass(frozen=True)
class Result:
    """Result of a job.

    Attributes:
        decoded: outputs of each row of the job.
        encode_ms, decode_ms: milliseconds of the slowest row.
        batch_rows: size of the largest running batch that one of its rows joined.
    """

    decoded: list[Decoded]
    encode_ms: float
    decode_ms: float
    batch_rows: int


class Engine:
    """Runs jobs with one replica of the model on each device.

    Args:
        predictors: replicas of one checkpoint, each on its own device.
        batch_rows: maximum number of rows of each kind in progress on a replica; a quarter of it for videos.
        pixels: batch size of the backbone in pixels, at least one frame. Other images wait for a batch to end, and
            memory grows with it: ResNet-152 needs 210 bytes for each pixel.
        max_waiting: maximum number of rows in the queue.
        max_waiting_bytes: maximum size of the rows in the queue.

    Attributes:
        processor: preprocessing and postprocessing of the model.
        precision: numeric precision of the model.
        agreement: comparison with float32; None in float32.
        metrics: of the queue and the replicas.
    """

    def __init__(
        self,
        predictors: Sequence[Predictor],
        *,
        batch_rows: int = 32,
        pixels: int = PIXELS,
        max_waiting: int = 512,
        max_waiting_bytes: int = 2**30,
    ) -> None:
        self.processor: Processor = predictors[0]
        self.precision, self.agreement = predictors[0].precision, predictors[0].agreement
        self._queue = WorkQueue(max_waiting, max_waiting_bytes)
        self.metrics = EngineMetrics()
        largest = max(modality.frame_pixels for modality in self.processor.modalities.values())
        frames = max(1, pixels // max(1, largest))
        self._replicas = [Replica(p, self._queue, self.metrics, rows=batch_rows, frames=frames) for p in predictors]

    def start(self) -> None:
        """Start the replicas."""
        self.metrics.watch_queue(self._queue.depths, self._queue.size)
        self.metrics.running.set_function(lambda: sum(replica.held for replica in self._replicas))
        for replica in self._replicas:
            replica.start()

    @property
    def is_alive(self) -> bool:
        """Whether any replica is healthy."""
        return any(replica.is_alive for replica in self._replicas)

    @property
    def devices(self) -> list[str]:
        """Devices of the replicas, such as ``cuda:0``."""
        return [str(replica.predictor.device) for replica in self._replicas]

    def warm_up(self) -> None:
        """Run every task once on every replica; call it before ``start``.

        Raises:
            CheckpointError: a task gives NaN or infinite probabilities.
        """
        for replica in self._replicas:
            replica.warm_up()

    def close(self) -> None:
        """Reject new jobs, complete the accepted ones and stop the replicas; blocks until then."""
        self._queue.close()
        for replica in self._replicas:
            replica.join()
        self._queue.fail(internal_error())  # rows remain only if no replica is healthy

    async def stop(self) -> None:
        """Call ``close`` in a thread, without blocking the event loop."""
        await asyncio.to_thread(self.close)

    async def metrics_text(self) -> bytes:
        """Return the metrics in the Prometheus text format."""
        return self.metrics.text()

    async def run(self, job: Job, watch: Watch | None = None) -> Result:
        """Run a job and return its result; if cancelled, its rows leave the model at the next decoder step.

        Args:
            job: rows to run.
            watch: called in this event loop with the final prefix of the first row's outputs each time it grows.

        Raises:
            ServiceError: ``overloaded``, ``shutting_down``, or ``internal_error``: the model failed on the job.
        """
        answer: Future[Result] = Future()
        soon = watch and partial(_call_soon, asyncio.get_running_loop(), watch)
        works = self.submit(job, answer, soon)
        try:
            return await asyncio.wrap_future(answer)
        except BaseException:
            self.withdraw(works)
            raise

    def submit(self, job: Job, answer: Future[Result], watch: Watch | None = None) -> list[Work]:
        """Queue a job and return its rows.

        Args:
            job: rows to run.
            answer: receives the result or the error, in another thread.
            watch: called in another thread with the final prefix of the first row's outputs each time it grows.

        Raises:
            ServiceError: ``overloaded`` or ``shutting_down``.
        """
        works, gathering = [Work(row) for row in job.rows], ResultCollector(len(job.rows), answer)
        works[0].watch = watch
        for i, work in enumerate(works):
            work.answer.add_done_callback(partial(gathering.settle, i))
        self._queue.put(works)
        return works

    def withdraw(self, works: Collection[Work]) -> None:
        """Cancel rows: they leave the queue at once, or the model at the next decoder step."""
        self._queue.withdraw(works)


def _call_soon(loop: asyncio.AbstractEventLoop, watch: Watch, settled: Hypothesis) -> None:
    with suppress(RuntimeError):  # the event loop is closed
        loop.call_soon_threadsafe(watch, settled)


class ResultCollector:
    """Collects the results of a job's rows into one Result.

    Holds no reference to the rows, so that their inputs are freed as soon as they are done.

    Args:
        rows: number of rows of the job.
        answer: receives the result, or the error of the first row that fails.
    """

    def __init__(self, rows: int, answer: Future[Result]) -> None:
        self._decoded: list[Decoded | None] = [None] * rows
        self._answer = answer
        self._lock = threading.Lock()

    def settle(self, row: int, found: Future[Decoded]) -> None:
        """Record the result or error of a row; completes ``answer`` at the last row or the first error."""
        error = found.exception()
        with suppress(InvalidStateError):  # an earlier row has failed, or the job was cancelled
            if error is not None:
                self._answer.set_exception(error)
            elif decoded := self._with(row, found.result()):
                self._answer.set_result(_result(decoded))

    def _with(self, row: int, result: Decoded) -> list[Decoded]:
        """Add the result of a row; return the results of all rows if this was the last, an empty list otherwise."""
        with self._lock:
            self._decoded[row] = result
            decoded = [each for each in self._decoded if each is not None]
            return decoded if len(decoded) == len(self._decoded) else []


def _result(decoded: list[Decoded]) -> Result:
    encode, decode = (max(getattr(each, name) for each in decoded) for name in ("encode_ms", "decode_ms"))
    return Result(decoded, encode, decode, max(each.batch_rows for each in decoded))
