"""A worker process: sync, forward, backward, update, without a word to the others."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import Connection

import torch

from omninet.model.extensions import extensions, load_extensions
from omninet.model.network.omninet import OmniNet
from omninet.training.config import RunConfig
from omninet.training.data import Example
from omninet.training.pipeline.batches import Encoder
from omninet.training.pipeline.loader import Loader
from omninet.training.pipeline.streams import stream
from omninet.training.runtime.interrupt import SIGNALS
from omninet.training.runtime.replica import Replica
from omninet.training.runtime.shared import STALENESS, GlobalModel, Order, SharedAdam, Slots
from omninet.training.runtime.step import Objective
from omninet.training.runtime.trainer import Trainer

NAP_S = 0.002


@dataclass(frozen=True)
class Post:
    """What one worker is to do.

    Attributes:
        number: of the worker, its row in the slots.
        job, jobs: it is number ``job`` of ``jobs`` workers of its task.
        threads: CPU threads to compute with.
        lockstep: wait after every step until the others have done it, too (the authors' barrier).
    """

    number: int
    task: str
    job: int
    jobs: int
    device: torch.device
    threads: int
    lockstep: bool


@dataclass(frozen=True)
class Assignment:
    """A post with everything that is needed to fill it; it travels to the process.

    Attributes:
        extensions: modules of users that the process loads; it may have been forked from one with another environment.
    """

    post: Post
    config: RunConfig
    examples: Sequence[Example]
    encoder: Encoder
    network: OmniNet
    model: GlobalModel
    slots: Slots
    began: float
    extensions: tuple[str, ...] = field(default_factory=lambda: tuple(extensions()))


@dataclass(frozen=True)
class Cause:
    """Why a worker ends early."""

    text: str


def work(assignments: Connection, reports: Connection) -> None:
    """The body of the process: one Assignment comes in; StepRecords and texts for people go out, at the end a Cause."""
    # Signals reach every process of a terminal or a group; only the main one decides.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    assignment: Assignment = assignments.recv()
    assignments.close()
    load_extensions(assignment.extensions)
    torch.set_num_threads(assignment.post.threads)
    if assignment.post.device.type == "cuda":
        torch.cuda.set_device(assignment.post.device)
    with contextlib.closing(reports), contextlib.suppress(BrokenPipeError):
        try:
            _Worker(assignment, reports).run()
        except Exception as error:
            reports.send(Cause(f"{type(error).__name__}: {error}"))
            raise SystemExit(1) from None


class _Worker:
    def __init__(self, assignment: Assignment, reports: Connection) -> None:
        a = assignment
        self.post, self.config, self.slots, self.reports = a.post, a.config, a.slots, reports
        self.forked_by = os.getppid()
        self.encoder = a.encoder
        self.replica = Replica(a.network, a.model, a.post.device)
        self.trainer = Trainer(
            a.config,
            Objective(self.replica.network),
            SharedAdam(a.model, a.post.number),
            a.post.device,
            lambda: int(self.slots.steps.sum()),
            a.began,
            self.replica.sync,
        )
        task = a.config.tasks[a.post.task]
        start = self.done * task.accumulate
        batches = stream(a.examples, task.batch, a.encoder, a.config.seed, start, a.post.job, a.post.jobs)
        self.loader = Loader(batches)

    @property
    def done(self) -> int:
        return int(self.slots.steps[self.post.number])

    def run(self) -> None:
        row, task = self.post.number, self.post.task
        self.trainer.skipped[task] = int(self.slots.skipped[row])
        with self.loader:
            while self.done < self.slots.quota[row] and self._may_go_on():
                number = self.done * self.post.jobs + self.post.job
                record = self.trainer.step(task, self.loader, number)
                self.slots.steps[row] += 1
                self.slots.skipped[row] = record.skipped
                self.slots.staleness[row, min(record.staleness, STALENESS)] += 1
                for report in (record, *self.encoder.news()):
                    self.reports.send(report)

    def _may_go_on(self) -> bool:
        """Wait while told to, or while ahead of the others by too much; False is the end."""
        row, slots = self.post.number, self.slots
        while True:
            if slots.order == Order.STOP or self._is_orphan():
                return False
            if slots.order == Order.PAUSE:
                slots.paused[row] = 1
            elif slots.paused[row]:
                slots.paused[row] = 0
                continue  # and look again: the order may have changed before this could be seen
            elif not self._is_ahead():
                return True
            time.sleep(NAP_S)

    def _is_orphan(self) -> bool:
        """Whether the main process is gone, or the one that would tell it how this one ends."""
        main = parent_process()
        return main is None or not main.is_alive() or os.getppid() != self.forked_by

    def _is_ahead(self) -> bool:
        if not self.post.lockstep and self.config.pace is None:
            return False
        others = self.slots.running.bool()
        steps, quota = self.slots.steps[others], self.slots.quota[others]
        if not len(steps):
            return False
        if self.post.lockstep:
            return self.done > int(steps.min())
        slowest = float((steps / quota).min())
        return self.done / int(self.slots.quota[self.post.number]) > slowest + (self.config.pace or 0.0)
