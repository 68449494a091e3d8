"""One copy of the model, and the thread that owns it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from app.errors import internal_error
from app.metrics import Metrics
from app.turns import Turns
from app.work import Kind, Work, WorkQueue
from model.cnp import group
from model.decoding import Decoded, RunningBatch, Search
from model.errors import CheckpointError
from model.predictor import Predictor, Row
from model.tasks import TASKS

logger = logging.getLogger(__name__)
RETRY_S = 1.0
PATIENCE = 3  # steps of the decoder

Activity = Literal["decode", "image", "video"]
# Of the model's time, while all of them want it. Texts need the decoder alone, so it comes first.
WEIGHTS: dict[Activity, float] = {"decode": 4.0, "image": 2.0, "video": 1.0}


class Replica:
    """Takes work from the queue, brings it through the model and answers it.

    What it has taken is in one of three places: its frames go through the backbone, a few at a time; it is ready to
    be encoded; or it is in the running batch, which every step of the decoder advances by one output. What the model is
    free for begins at once, and nothing waits for a batch to end. But several rows are encoded for little more than
    one: while others decode, a row lets a few of these steps pass for company.

    Args:
        rows: of each kind that it has at a time.
        frames: that go through the backbone at once.

    Attributes:
        is_alive: false from a failure that belongs to no row until the model has proved to work again.
        held: rows that it has taken and not answered.
    """

    def __init__(self, predictor: Predictor, queue: WorkQueue, metrics: Metrics, *, rows: int, frames: int) -> None:
        self.predictor = predictor
        self.metrics = metrics
        self.is_alive = True
        self._queue, self._frames = queue, frames
        self._room: dict[Kind, int] = {"text": rows, "image": rows, "video": max(1, rows // 4)}
        self._begin_anew()
        self._turns = Turns(WEIGHTS)
        self._thread = threading.Thread(target=self._serve, name=f"model on {predictor.device}", daemon=True)

    def warm_up(self) -> None:
        """Run every task once.

        Raises:
            CheckpointError: a probability is no number.
        """
        rows = probe(self.predictor)
        for row, decoded in zip(rows, self.predictor.run(rows), strict=True):
            found = [*decoded.log_probabilities, *(value for _, value in decoded.candidates)]
            if not all(map(math.isfinite, found)):
                raise CheckpointError(f"task {row.goal.task} gives probabilities that are no numbers")

    def start(self) -> None:
        """Begin to take work."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the queue is closed and all work is answered, or nothing works any more."""
        self._thread.join()

    @torch.inference_mode()
    def _serve(self) -> None:
        while self.is_alive and (self._inside() or self._queue.wait()):
            try:
                self._advance()
            except Exception:
                logger.exception("the engine failed; it gives up %d rows and begins anew", len(self._inside()))
                self._restart()

    def _begin_anew(self) -> None:
        self.held = 0
        self._unseen: dict[Kind, list[Work]] = {"image": [], "video": []}
        self._ready: list[Work] = []
        self._running: dict[Search, Work] = {}
        self._batch = RunningBatch(self.predictor.network.cnp)
        self._steps = 0

    def _restart(self) -> None:
        self.is_alive = False
        self.metrics.restarts.inc()
        for work in self._inside():
            self._fail(work)
        self._begin_anew()
        while not self.is_alive:
            try:
                self.warm_up()
                self.is_alive = True
            except Exception:
                logger.exception("the engine does not work yet")
                if self._queue.closes_within(RETRY_S):
                    return

    def _advance(self) -> None:
        self._take()
        self._drop_unwanted()
        self.held = len(self._inside())
        if wanted := self._wanted():
            self._turn(self._turns.next(wanted))
        self.held = len(self._inside())

    def _inside(self) -> list[Work]:
        return [*self._unseen["image"], *self._unseen["video"], *self._ready, *self._running.values()]

    def _take(self) -> None:
        inside = group(work.kind for work in self._inside())
        for work in self._queue.take({kind: room - len(inside.get(kind, ())) for kind, room in self._room.items()}):
            self._wait(work, self._ready if work.frames is None else self._unseen[work.kind])

    def _finish(self, work: Work, decoded: Decoded) -> None:
        self.metrics.tokens.labels(work.row.goal.task).inc(len(decoded.tokens))
        work.finish(decoded)

    def _fail(self, work: Work) -> None:
        self.metrics.failed.inc()
        work.fail(internal_error())

    def _drop_unwanted(self) -> None:
        """Let go of work whose requester has gone."""
        self.metrics.abandoned.inc(sum(work.abandoned for work in self._inside()))
        for works in (*self._unseen.values(), self._ready):
            works[:] = [work for work in works if not work.abandoned]
        unwanted = [search for search, work in self._running.items() if work.abandoned]
        self._batch.drop(unwanted)
        for search in unwanted:
            del self._running[search]

    def _wanted(self) -> list[Activity]:
        decode: list[Activity] = ["decode"] if self._ready or self._running else []
        return decode + [kind for kind in ("image", "video") if self._is_due(self._unseen[kind])]

    def _wait(self, work: Work, among: list[Work]) -> None:
        work.since = self._steps
        among.append(work)

    def _is_due(self, works: Sequence[Work]) -> bool:
        """Whether works that wait to be encoded are enough, beside those that decode, or have been patient."""
        if not works or not self._running:
            return bool(works)
        return 4 * len(works) >= len(self._running) or self._steps - works[0].since >= PATIENCE

    def _turn(self, activity: Activity) -> None:
        started = time.perf_counter()
        if activity == "decode":
            self._decode()
        else:
            self._see(self._unseen[activity])
        self._turns.charge(activity, time.perf_counter() - started)

    def _see(self, works: list[Work]) -> None:
        """Bring the next frames of the oldest works through the backbone."""
        parts = _next_frames(works, self._frames)
        started = time.perf_counter()
        try:
            found = self.predictor.see(torch.cat([frames for _, frames in parts]))
        except Exception as error:
            self._part_with([work for work, _ in parts], error)
            return
        self.metrics.frames.inc(len(found))
        spent = 1e3 * (time.perf_counter() - started)
        for (work, frames), features in zip(parts, torch.split(found, [len(f) for _, f in parts]), strict=True):
            work.features.append(features)
            work.encode_ms += spent * len(frames) / len(found)
        for work in works:
            if work.is_seen:
                self._wait(work, self._ready)
        works[:] = [work for work in works if not work.is_seen]

    def _decode(self) -> None:
        """Admit what is ready, and advance everything by one output."""
        ready = self._ready[:] if self._is_due(self._ready) else []
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
            self._running, self._batch = {}, RunningBatch(self.predictor.network.cnp)
            self._part_with(works, error)
            return
        for search in ended:
            self._finish(self._running.pop(search), search.result())

    def _admit(self, works: Sequence[Work]) -> None:
        rows = [work.seen_row() for work in works]
        for members in group(row.shape for row in rows).values():
            started = time.perf_counter()
            memory = self.predictor.encode([rows[i] for i in members])
            searches = self._batch.admit(memory, [rows[i].goal for i in members])
            done = time.perf_counter()
            for i, search in zip(members, searches, strict=True):
                self._running[search] = works[i]
                works[i].admitted = done
                works[i].encode_ms += 1e3 * (done - started) / len(members)

    def _part_with(self, works: Sequence[Work], error: Exception) -> None:
        """Answer works of which one or more have failed: halve them until the culprits are alone."""
        logger.warning("%d rows failed together (%s); the culprits are being looked for", len(works), error)
        for works_of_kind in self._unseen.values():
            works_of_kind[:] = [work for work in works_of_kind if work not in works]
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


def probe(predictor: Predictor) -> list[Row]:
    """A row of every task: the first run of anything is slow, and a broken one is better found before a request is."""
    grey = np.full((64, 64, 3), 128, np.uint8)
    rows: list[Row] = []
    for task in predictor.tasks:
        inputs: dict[str, Any] = {"text": "A dog runs."} if TASKS[task].output == "tags" else {"image": grey}
        if {"vision", "language"} <= set(TASKS[task].inputs):
            inputs["question"] = "What is this?"
        rows += predictor.prepare(task, **inputs).rows
    return rows


def _next_frames(works: Sequence[Work], count: int) -> list[tuple[Work, Tensor]]:
    """At most ``count`` frames that have not been seen yet, of the oldest works."""
    parts: list[tuple[Work, Tensor]] = []
    for work in works:
        if count <= 0:
            break
        frames = work.unseen()[:count]
        parts.append((work, frames))
        count -= len(frames)
    return parts
