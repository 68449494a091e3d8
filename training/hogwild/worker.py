"""A Hogwild worker process: copy the parameters, compute gradients, update the global model, without locks."""

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
from omninet.training.hogwild.pacing import Pacing
from omninet.training.pipeline.batches import Encoder
from omninet.training.pipeline.loader import Loader
from omninet.training.pipeline.streams import stream
from omninet.training.runtime.interrupt import SIGNALS
from omninet.training.runtime.replica import Replica
from omninet.training.runtime.shared import STALENESS, GlobalModel, Order, SharedAdam, Slots
from omninet.training.runtime.step import Objective
from omninet.training.runtime.trainer import Trainer

POLL_S = 0.002


@dataclass(frozen=True)
class WorkerSpec:
    """Specification of one worker.

    Attributes:
        number: index of the worker, its row in the slots.
        job, jobs: index of the worker among the ``jobs`` workers of its task.
        threads: CPU threads to compute with.
        lockstep: wait after every step until all workers have done it (the barrier in the authors' code).
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
    """Everything that a worker process needs, sent to it through a pipe.

    Attributes:
        extensions: user modules to load; the fork server may have started with another environment.
    """

    spec: WorkerSpec
    config: RunConfig
    examples: Sequence[Example]
    encoder: Encoder
    network: OmniNet
    model: GlobalModel
    slots: Slots
    began: float
    extensions: tuple[str, ...] = field(default_factory=lambda: tuple(extensions()))


@dataclass(frozen=True)
class Failure:
    """Error message of a worker that ends early."""

    text: str


def work(assignments: Connection, reports: Connection) -> None:
    """Run the worker process.

    Args:
        assignments: pipe that delivers one Assignment.
        reports: pipe for StepRecords, warnings as text and, after an error, one Failure.
    """
    # A terminal sends signals to its whole process group; only the main process reacts to them.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    assignment: Assignment = assignments.recv()
    assignments.close()
    load_extensions(assignment.extensions)
    torch.set_num_threads(assignment.spec.threads)
    if assignment.spec.device.type == "cuda":
        torch.cuda.set_device(assignment.spec.device)
    with contextlib.closing(reports), contextlib.suppress(BrokenPipeError):
        try:
            _Worker(assignment, reports).run()
        except Exception as error:
            reports.send(Failure(f"{type(error).__name__}: {error}"))
            raise SystemExit(1) from None


class _Worker:
    def __init__(self, assignment: Assignment, reports: Connection) -> None:
        a = assignment
        self.spec, self.config, self.slots, self.reports = a.spec, a.config, a.slots, reports
        self.fork_server_pid = os.getppid()
        self.encoder = a.encoder
        self.replica = Replica(a.network, a.model, a.spec.device)
        self.trainer = Trainer(
            a.config,
            Objective(self.replica.network),
            SharedAdam(a.model, a.spec.number),
            a.spec.device,
            lambda: int(self.slots.steps.sum()),
            a.began,
            self.replica.sync,
            left_out=lambda: int(self.slots.left_out.sum()),
        )
        self.pacing = Pacing(a.slots, a.spec.number, a.spec.lockstep, a.config.pace)
        task = a.config.tasks[a.spec.task]
        start = self.taken * task.accumulate
        batches = stream(a.examples, task.batch, a.encoder, a.config.seed, start, a.spec.job, a.spec.jobs)
        self.loader = Loader(batches)

    @property
    def taken(self) -> int:
        return int(self.slots.steps[self.spec.number])

    def run(self) -> None:
        row = self.spec.number
        self.trainer.skipped[self.spec.task] = int(self.slots.skipped[row])
        with self.loader:
            while self.slots.done[row] < self.slots.quota[row] and self._should_continue():
                if self.pacing.leaves_out:
                    self.pacing.leave_out()
                else:
                    self._take_step()

    def _take_step(self) -> None:
        row, started = self.spec.number, time.monotonic()
        number = self.taken * self.spec.jobs + self.spec.job
        record = self.trainer.step(self.spec.task, self.loader, number)
        self.pacing.took(time.monotonic() - started)
        self.slots.skipped[row] = record.skipped
        self.slots.staleness[row, min(record.staleness, STALENESS)] += 1
        for report in (record, *self.encoder.new_warnings()):
            self.reports.send(report)

    def _should_continue(self) -> bool:
        """Wait while paused or while ``pacing`` says so; return False if the worker must stop."""
        row, slots = self.spec.number, self.slots
        while True:
            if slots.order == Order.STOP or self._is_orphan():
                return False
            if slots.order == Order.PAUSE:
                slots.paused[row] = 1
            elif slots.paused[row]:
                slots.paused[row] = 0
                continue  # check again: the order may have changed before the main process saw the flag
            elif not self.pacing.must_wait():
                return True
            time.sleep(POLL_S)

    def _is_orphan(self) -> bool:
        """Return whether the main process or the fork server, which reports this process's exit, has ended."""
        main = parent_process()
        return main is None or not main.is_alive() or os.getppid() != self.fork_server_pid
