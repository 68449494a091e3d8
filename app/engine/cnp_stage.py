"""Second stage: encoding and decoding by the Central Neural Processor (CNP)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

from omninet.app.engine.admission import Intake
from omninet.app.engine.feature_stage import VisionStage
from omninet.app.engine.metrics import EngineMetrics
from omninet.app.engine.stage import Stage
from omninet.app.engine.work import Kind, Work
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.decoding.search import Search
from omninet.model.network.cnp import group
from omninet.model.predictor import Predictor

logger = logging.getLogger(__name__)
TEXT: tuple[Kind, ...] = ("text",)
MAX_WAIT_STEPS = 3  # decoder steps


class CNPStage(Stage):
    """Decodes texts, and images and videos from the vision stage, in one running batch (continuous batching).

    Each decoder step advances every row by one output; rows join and leave between steps. Encoding several rows
    together costs little more than encoding one, so while other rows decode, a new row waits up to ``MAX_WAIT_STEPS``
    decoder steps for more rows to be encoded with.
    """

    def __init__(self, predictor: Predictor, intake: Intake, metrics: EngineMetrics, vision: VisionStage) -> None:
        super().__init__(predictor, intake, metrics)
        self._vision = vision

    def join(self) -> None:
        """Wait for the stage to end, then fail works of the vision stage that a broken CNP stage left behind."""
        super().join()
        for work in self._vision.take_ready():
            self._fail(work)

    def _reset(self) -> None:
        self._ready: list[Work] = []
        self._running: dict[Search, Work] = {}
        self._explained: dict[Work, tuple[Decoded, Iterator[None]]] = {}
        self._batch = self.predictor.running_batch()
        self._steps = 0

    def _pending(self) -> list[Work]:
        return [*self._ready, *self._running.values(), *self._explained]

    def _wait(self) -> bool:
        if self._pending():
            return True
        with self._vision.alone():
            return self.intake.wait(TEXT, ready=lambda: bool(self._vision.ready), over=lambda: self._vision.has_ended)

    def _advance(self) -> None:
        self._take()
        self._drop_abandoned()
        if self._ready or self._running:
            self._decode()
        self._explain()

    def _take(self) -> None:
        for work in self._vision.take_ready() + self.intake.take(TEXT):
            work.since = self._steps
            self._ready.append(work)

    def _drop_abandoned(self) -> None:
        abandoned = {search: work for search, work in self._running.items() if work.abandoned}
        others = [work for work in (*self._ready, *self._explained) if work.abandoned]
        self._release_abandoned([*abandoned.values(), *others])
        self._explained = {work: rest for work, rest in self._explained.items() if not work.abandoned}
        self._ready = [work for work in self._ready if not work.abandoned]
        self._batch.drop(abandoned)
        for search in abandoned:
            del self._running[search]

    def _is_due(self) -> bool:
        """Whether to encode the ready rows now: nothing decodes, they are many, or the first has waited long enough."""
        if not self._ready or not self._running:
            return bool(self._ready)
        return 4 * len(self._ready) >= len(self._running) or self._steps - self._ready[0].since >= MAX_WAIT_STEPS

    def _decode(self) -> None:
        """Encode and admit the ready rows if due, then advance the running batch by one decoder step."""
        ready = self._ready[:] if self._is_due() else []
        del self._ready[: len(ready)]
        self._steps += 1
        try:
            self._admit(ready)
            for work in ready:
                work.batch_rows = len(self._batch)
            self.metrics.record_step(self._batch.tasks())
            ended = self._batch.step()
        except Exception as error:
            works = [*ready, *self._running.values()]
            # The batch may be inconsistent: some rows may have been admitted or advanced. Run all rows again.
            self._running, self._batch = {}, self.predictor.running_batch()
            self._isolate_failures(works, error)
            return
        for search in ended:
            work, decoded = self._running.pop(search), search.result()
            self._explained[work] = decoded, self.predictor.explain(work.row_with_features(), decoded)
        for search, work in self._running.items():
            if work.watch is not None:
                work.notify(search.settled)

    def _explain(self) -> None:
        """Compute one part of the explanation of each decoded row that asks for one; finish the others."""
        for work, (decoded, parts) in list(self._explained.items()):
            try:
                if next(parts, self) is None:
                    continue
            except Exception:
                logger.exception("computing the explanation of a row failed; its request gets internal_error")
                self._fail(work)
            else:
                self._finish(work, decoded)
            del self._explained[work]

    def _admit(self, works: Sequence[Work]) -> None:
        rows = [work.row_with_features() for work in works]
        for members in group(row.shape for row in rows).values():
            started = time.perf_counter()
            searches = self.predictor.admit(self._batch, [rows[i] for i in members])
            done = time.perf_counter()
            for i, search in zip(members, searches, strict=True):
                self._running[search] = works[i]
                works[i].admitted = done
                works[i].encode_ms += 1e3 * (done - started) / len(members)
