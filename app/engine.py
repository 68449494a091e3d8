"""The engine: replicas of the model behind one queue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from app.engine_metrics import EngineMetrics
from app.errors import internal_error
from app.replica import Replica
from app.work import Work, WorkQueue
from model.decoding import Decoded
from model.predictor import Predictor
from model.processor import Job, Processor

# Eight frames of the bundled model. More are hardly seen sooner, and images wait longer among videos.
PIXELS = 8 * 224**2


@dataclass(frozen=True)
class Result:
    """What the model made of a job.

    Attributes:
        decoded: one for each row of the job.
        encode_ms, decode_ms: of the row that took longest.
        batch_rows: most that one of its rows was decoded among.
    """

    decoded: list[Decoded]
    encode_ms: float
    decode_ms: float
    batch_rows: int


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
        self.precision = str(predictors[0].dtype).removeprefix("torch.")
        self._queue = WorkQueue(max_waiting, max_waiting_bytes)
        self.metrics = EngineMetrics()
        frames = max(1, pixels // self.processor.vision.size**2)
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

    async def stop(self) -> None:
        """Refuse new jobs, answer those that were accepted, and end."""
        self._queue.close()
        for replica in self._replicas:
            await asyncio.to_thread(replica.join)
        self._queue.fail(internal_error())  # where no replica works any more

    async def figures(self) -> bytes:
        """As Prometheus reads them."""
        return self.metrics.text()

    async def run(self, job: Job) -> Result:
        """The result of a job; cancelled, its rows leave the model at the next step.

        Raises:
            ServiceError: ``overloaded``, ``shutting_down``, or ``internal_error`` if the model failed on it.
        """
        works = [Work(row) for row in job.rows]
        self._queue.put(works)
        try:
            decoded = await asyncio.gather(*[asyncio.wrap_future(work.answer) for work in works])
        except BaseException:
            self._queue.withdraw(works)
            raise
        batch_rows = max(work.batch_rows for work in works)
        return Result(decoded, max(d.encode_ms for d in decoded), max(d.decode_ms for d in decoded), batch_rows)
