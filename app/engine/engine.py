"""The engine: replicas of the model behind one queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial

from omninet.app.engine.metrics import EngineMetrics
from omninet.app.engine.replica import Replica
from omninet.app.engine.result import Result, Watch
from omninet.app.engine.work import Work, WorkQueue
from omninet.app.errors import internal_error
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.job import Job
from omninet.model.predictor import Predictor
from omninet.model.processor import Processor

# Eight frames of the bundled model. More are hardly seen sooner, and images wait longer among videos.
PIXELS = 8 * 224**2


class Engine:
    """Answers jobs with one replica of the model a device.

    Args:
        predictors: the same checkpoint, each on a device of its own.
        batch_rows: of each kind of work that a replica has at a time.
        pixels: of frames that a replica brings through the backbone at once, one frame at least. Other images wait
            meanwhile, and memory grows with it: ResNet-152 takes 210 bytes for a pixel.
        max_waiting, max_waiting_bytes: rows that no replica has taken yet, and their size.

    Attributes:
        processor: for what is around the model.
        precision: that it runs at.
        agreement: how near that comes to float32; None where it is float32.
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
        """Begin to take jobs."""
        self.metrics.watch_queue(self._queue.depths, self._queue.size)
        self.metrics.running.set_function(lambda: sum(replica.held for replica in self._replicas))
        for replica in self._replicas:
            replica.start()

    @property
    def is_alive(self) -> bool:
        """Whether any replica works."""
        return any(replica.is_alive for replica in self._replicas)

    @property
    def devices(self) -> list[str]:
        """Where the replicas are."""
        return [str(replica.predictor.device) for replica in self._replicas]

    def warm_up(self) -> None:
        """Run every task on every replica, before it is started.

        Raises:
            CheckpointError: a task gives no numbers.
        """
        for replica in self._replicas:
            replica.warm_up()

    def close(self) -> None:
        """Refuse new jobs, answer those that were accepted, and end."""
        self._queue.close()
        for replica in self._replicas:
            replica.join()
        self._queue.fail(internal_error())  # where no replica works any more

    async def stop(self) -> None:
        """The same, for who must not be held up."""
        await asyncio.to_thread(self.close)

    async def figures(self) -> bytes:
        """As Prometheus reads them."""
        return self.metrics.text()

    async def run(self, job: Job, watch: Watch | None = None) -> Result:
        """The result of a job; cancelled, its rows leave the model at the next step.

        Args:
            watch: is told, in this loop, what is settled of the first row's outputs, whenever that is more.

        Raises:
            ServiceError: ``overloaded``, ``shutting_down``, or ``internal_error`` if the model failed on it.
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
        """Begin a job, whose result ``answer`` gets in another thread, and ``watch`` what is settled; its rows.

        Raises:
            ServiceError: as ``run``.
        """
        works, gathering = [Work(row) for row in job.rows], Gathering(len(job.rows), answer)
        works[0].watch = watch
        for i, work in enumerate(works):
            work.answer.add_done_callback(partial(gathering.settle, i))
        self._queue.put(works)
        return works

    def withdraw(self, works: Collection[Work]) -> None:
        """Nobody waits any more for these rows: they leave at once, or the model at its next step."""
        self._queue.withdraw(works)


def _call_soon(loop: asyncio.AbstractEventLoop, watch: Watch, settled: Hypothesis) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody watches any more
        loop.call_soon_threadsafe(watch, settled)


class Gathering:
    """Makes one result of those of a job's rows. It knows nothing of the rows: what they hold must not outlive them."""

    def __init__(self, rows: int, answer: Future[Result]) -> None:
        self._decoded: list[Decoded | None] = [None] * rows
        self._answer = answer
        self._lock = threading.Lock()

    def settle(self, row: int, found: Future[Decoded]) -> None:
        """Note what a row has become."""
        error = found.exception()
        with suppress(InvalidStateError):  # an earlier row has failed, or nobody waits any more
            if error is not None:
                self._answer.set_exception(error)
            elif decoded := self._with(row, found.result()):
                self._answer.set_result(_result(decoded))

    def _with(self, row: int, result: Decoded) -> list[Decoded]:
        """Those of all rows, if this is the last one."""
        with self._lock:
            self._decoded[row] = result
            decoded = [each for each in self._decoded if each is not None]
            return decoded if len(decoded) == len(self._decoded) else []


def _result(decoded: list[Decoded]) -> Result:
    encode, decode = (max(getattr(each, name) for each in decoded) for name in ("encode_ms", "decode_ms"))
    return Result(decoded, encode, decode, max(each.batch_rows for each in decoded))
