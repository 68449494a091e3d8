"""A part of the way through the model, and the thread that does it."""

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
    """Does what there is to do, one thing after another, until the queue is closed and nothing is left.

    Attributes:
        is_alive: false from a failure that belongs to no row until the model has proved to work again.
        has_ended: whether nothing comes from it any more.
    """

    def __init__(self, predictor: Predictor, intake: Intake, metrics: EngineMetrics) -> None:
        self.is_alive, self.has_ended = True, False
        self.predictor, self.intake, self.metrics = predictor, intake, metrics
        self._begin_anew()
        name = f"{type(self).__name__} on {predictor.device}"
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Begin to take work."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the queue is closed and all work is done, or nothing works any more."""
        self._thread.join()

    @abstractmethod
    def _begin_anew(self) -> None:
        """Have nothing to do."""

    @abstractmethod
    def _inside(self) -> list[Work]:
        """What there is to do."""

    @abstractmethod
    def _wait(self) -> bool:
        """Until there is something to do; False is the end."""

    @abstractmethod
    def _advance(self) -> None:
        """Go one step on with it."""

    @torch.inference_mode()
    def _serve(self) -> None:
        while self.is_alive and self._wait():
            try:
                self._advance()
            except Exception:
                logger.exception("the engine failed; it gives up %d rows and begins anew", len(self._inside()))
                self._restart()
        with self.intake.queue.changed:
            self.has_ended = True
            self.intake.queue.changed.notify_all()

    def _restart(self) -> None:
        self.is_alive = False
        self.intake.suspend()
        self.metrics.restarts.inc()
        for work in self._inside():
            self._fail(work)
        self._begin_anew()
        while not self._works():
            if self.intake.queue.closes_within(RETRY_S):
                return
        self.is_alive = True
        self.intake.resume()

    def _works(self) -> bool:
        try:
            warm_up(self.predictor)
        except Exception:
            logger.exception("the engine does not work yet")
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

    def _let_go(self, works: Sequence[Work]) -> None:
        """Forget work whose requester has gone."""
        if not works:
            return
        self.metrics.abandoned.inc(len(works))
        self.intake.release(works)

    def _part_with(self, works: Sequence[Work], error: Exception) -> None:
        """Answer works of which one or more have failed: halve them until the culprits are alone."""
        logger.warning("%d rows failed together (%s); the culprits are being looked for", len(works), error)
        self._run_apart(list(dict.fromkeys(works)))

    def _run_apart(self, works: Sequence[Work]) -> None:
        try:
            for work in works:
                work.admitted = time.perf_counter()
            decoded = self.predictor.run([work.row for work in works])
        except Exception:
            if len(works) == 1:
                logger.exception("the model failed on a row")
                self._fail(works[0])
                return
            for half in (works[: len(works) // 2], works[len(works) // 2 :]):
                self._run_apart(half)
        else:
            for work, result in zip(works, decoded, strict=True):
                self._finish(work, result)
