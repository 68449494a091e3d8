"""Base class of the pipeline stages, each of which runs in its own thread."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch

from omninet.app.engine.admission import Intake
from omninet.app.engine.metrics import EngineMetrics
from omninet.app.engine.warm_up import warm_up
from omninet.app.engine.work import Work
from omninet.app.errors import internal_error
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.predictor import Predictor

logger = logging.getLogger(__name__)
RETRY_S = 1.0


class Stage(ABC):
    """A thread that processes works until the queue is closed and no work is left.

    After a failure that belongs to no row, the stage fails its works and restarts once a trial run succeeds.

    Args:
        predictor: runs the model.
        intake: supplies works.
        metrics: of the engine.

    Attributes:
        threads: number of threads that the stage computes with on a CPU.
        is_alive: whether the stage is healthy; false from a failure until the trial run succeeds.
        has_ended: whether the thread has ended, so that no more results will come.
    """

    def __init__(self, predictor: Predictor, intake: Intake, metrics: EngineMetrics) -> None:
        self.is_alive, self.has_ended = True, False
        self.threads = torch.get_num_threads()
        self.predictor, self.intake, self.metrics = predictor, intake, metrics
        self._reset()
        name = f"{type(self).__name__} on {predictor.device}"
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended: the queue is closed and all work is done, or the stage is broken."""
        self._thread.join()

    @abstractmethod
    def _reset(self) -> None:
        """Reset the state of the stage to that without any work."""

    @abstractmethod
    def _pending(self) -> list[Work]:
        """Return all works in this stage."""

    @abstractmethod
    def _wait(self) -> bool:
        """Block until there is work; return False when no more will come."""

    @abstractmethod
    def _advance(self) -> None:
        """Run one step: one batch of the backbone or one decoder step."""

    @torch.inference_mode()
    def _serve(self) -> None:
        torch.set_num_threads(self.threads)  # of this thread; it would take the last number that any has set
        while self.is_alive and self._wait():
            try:
                self._advance()
            except Exception:
                logger.exception(
                    "a stage of the engine failed; its %d rows fail and the stage restarts", len(self._pending())
                )
                self._restart()
        with self.intake.queue.changed:
            self.has_ended = True
            self.intake.queue.changed.notify_all()

    def _restart(self) -> None:
        self.is_alive = False
        self.intake.suspend()
        self.metrics.restarts.inc()
        for work in self._pending():
            self._fail(work)
        self._reset()
        while not self._passes_trial():
            if self.intake.queue.closes_within(RETRY_S):
                return
        self.is_alive = True
        self.intake.resume()

    def _passes_trial(self) -> bool:
        try:
            warm_up(self.predictor)
        except Exception:
            logger.exception("the trial run after a failure of the engine failed, too; trying again")
            return False
        return True

    def _finish(self, work: Work, decoded: Decoded) -> None:
        self.metrics.tokens.labels(work.row.goal.task).inc(len(decoded.tokens))
        self.intake.release([work])
        work.finish(decoded)

    def _fail(self, work: Work) -> None:
        self.metrics.failed.inc()
        self.intake.release([work])
        work.fail(internal_error())

    def _release_abandoned(self, works: Sequence[Work]) -> None:
        """Release works whose requests were cancelled."""
        if not works:
            return
        self.metrics.abandoned.inc(len(works))
        self.intake.release(works)

    def _isolate_failures(self, works: Sequence[Work], error: Exception) -> None:
        """Run the works of a failed batch again by bisection, so that only the rows that cause the failure fail."""
        logger.warning(
            "a batch of %d rows failed (%s); running its halves to find the rows at fault", len(works), error
        )
        self._run_bisected(list(dict.fromkeys(works)))

    def _run_bisected(self, works: Sequence[Work]) -> None:
        try:
            for work in works:
                work.admitted = time.perf_counter()
            decoded = self.predictor.run([work.row for work in works])
        except Exception:
            if len(works) == 1:
                logger.exception("the model failed on a single row; its request gets internal_error")
                self._fail(works[0])
                return
            for half in (works[: len(works) // 2], works[len(works) // 2 :]):
                self._run_bisected(half)
        else:
            for work, result in zip(works, decoded, strict=True):
                self._finish(work, result)
