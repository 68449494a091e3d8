"""Rows through the Central Neural Processor."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

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
PATIENCE = 3  # steps of the decoder


class CNPStage(Stage):
    """Takes texts, and what the vision stage has seen, and decodes all of them in one running batch.

    Every step of the decoder advances every row by one output; rows join and leave between steps, and nothing waits
    for a batch to end. But several rows are encoded for little more than one: while others decode, a row lets a few of
    these steps pass for company.
    """

    def __init__(self, predictor: Predictor, intake: Intake, metrics: EngineMetrics, vision: VisionStage) -> None:
        super().__init__(predictor, intake, metrics)
        self._vision = vision

    def join(self) -> None:
        """The same; where it does not work any more, what was seen for it is given up."""
        super().join()
        for work in self._vision.take_seen():
            self._fail(work)

    def _begin_anew(self) -> None:
        self._ready: list[Work] = []
        self._running: dict[Search, Work] = {}
        self._batch = self.predictor.running_batch()
        self._steps = 0

    def _inside(self) -> list[Work]:
        return [*self._ready, *self._running.values()]

    def _wait(self) -> bool:
        return bool(self._inside()) or self.intake.wait(
            TEXT, ready=lambda: bool(self._vision.seen), over=lambda: self._vision.has_ended
        )

    def _advance(self) -> None:
        self._take()
        self._drop_unwanted()
        if self._ready or self._running:
            self._decode()

    def _take(self) -> None:
        for work in self._vision.take_seen() + self.intake.take(TEXT):
            work.since = self._steps
            self._ready.append(work)

    def _drop_unwanted(self) -> None:
        unwanted = {search: work for search, work in self._running.items() if work.abandoned}
        self._let_go([*unwanted.values(), *(work for work in self._ready if work.abandoned)])
        self._ready = [work for work in self._ready if not work.abandoned]
        self._batch.drop(unwanted)
        for search in unwanted:
            del self._running[search]

    def _is_due(self) -> bool:
        """Whether the rows that wait to be encoded are enough, beside those that decode, or have been patient."""
        if not self._ready or not self._running:
            return bool(self._ready)
        return 4 * len(self._ready) >= len(self._running) or self._steps - self._ready[0].since >= PATIENCE

    def _decode(self) -> None:
        """Admit what is ready, and advance everything by one output."""
        ready = self._ready[:] if self._is_due() else []
        del self._ready[: len(ready)]
        self._steps += 1
        try:
            self._admit(ready)
            for work in ready:
                work.batch_rows = len(self._batch)
            self.metrics.stepped(self._batch.tasks())
            ended = self._batch.step()
        except Exception as error:
            works = [*ready, *self._running.values()]
            # Some may have been admitted, or be a step ahead of the others.
            self._running, self._batch = {}, self.predictor.running_batch()
            self._part_with(works, error)
            return
        for search in ended:
            self._end(self._running.pop(search), search.result())
        for search, work in self._running.items():
            if work.watch is not None:
                work.tell(search.settled)

    def _end(self, work: Work, decoded: Decoded) -> None:
        try:
            self.predictor.explain(work.seen_row(), decoded)
        except Exception:
            logger.exception("the model failed to explain a row")
            self._fail(work)
        else:
            self._finish(work, decoded)

    def _admit(self, works: Sequence[Work]) -> None:
        rows = [work.seen_row() for work in works]
        for members in group(row.shape for row in rows).values():
            started = time.perf_counter()
            searches = self.predictor.admit(self._batch, [rows[i] for i in members])
            done = time.perf_counter()
            for i, search in zip(members, searches, strict=True):
                self._running[search] = works[i]
                works[i].admitted = done
                works[i].encode_ms += 1e3 * (done - started) / len(members)
