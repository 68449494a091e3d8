"""The main process: starts the workers, watches over them, saves, and ends the run."""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue
from typing import Any

import torch
from torch import multiprocessing, nn

from model.devices import choose_device
from model.omninet import OmniNet
from training.hogwild.worker import Assignment, Cause, Post, work
from training.interrupt import Interrupt
from training.run import Run
from training.schedule import quotas
from training.shared import Order, Slots
from training.trainer import TrainingError
from training.watch import StepRecord

POLL_S = 0.1
PATIENCE_S = 120.0  # for the step that a worker is in


@dataclass
class Member:
    """A worker as the main process sees it.

    Attributes:
        cause: what it said before it died.
        deaths: how often it has died.
    """

    post: Post
    process: BaseProcess
    cause: str = ""
    deaths: int = 0


def run_hogwild(run: Run, stop: Interrupt, lockstep: bool = False, threads: int | None = None) -> bool:
    """Train until every worker has done its steps, or until ``stop`` is set; whether all steps are done.

    Args:
        lockstep: all workers take each step together, as the authors' barrier has it.
        threads: CPU threads, shared out among the workers.

    Raises:
        TrainingError: a worker died more often than ``restarts`` allows; the state has been saved.
    """
    with _Supervisor(run, _posts(run, lockstep, threads or os.cpu_count() or 1)) as supervisor:
        return supervisor.watch(stop)


def _posts(run: Run, lockstep: bool, threads: int) -> list[Post]:
    tasks = run.setup.config.tasks
    pairs = [(task, job) for task, config in tasks.items() for job in range(config.jobs)]
    each = max(1, threads // len(pairs))
    return [
        Post(i, task, job, tasks[task].jobs, _device(tasks[task].device, i), each, lockstep)
        for i, (task, job) in enumerate(pairs)
    ]


def _device(name: str, number: int) -> torch.device:
    if name == "auto" and torch.cuda.is_available():
        return torch.device("cuda", number % torch.cuda.device_count())
    return choose_device(name)


class _Supervisor:
    def __init__(self, run: Run, posts: list[Post]) -> None:
        self.run = run
        self.slots = Slots.of(len(posts))
        self.records: SimpleQueue[StepRecord | str] = SimpleQueue()
        self.context = multiprocessing.get_context("spawn")
        wanted = quotas(run.setup.config)
        for post in posts:
            self.slots.quota[post.number] = wanted[post.task][post.job]
            self.slots.steps[post.number] = run.progress.drawn[post.task][post.job]
        self.skipped_before = run.progress.skipped
        self.before = {task: run.progress.of(task) for task in run.progress.drawn}
        self.started = time.time()
        network = run.setup.network
        self.network = _without_backbone(network) if run.setup.config.media == "features" else network
        self.members = [self._start(post) for post in posts]
        self.evaluation: threading.Thread | None = None

    def __enter__(self) -> _Supervisor:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()
        if self.evaluation:
            self.evaluation.join()

    def _stop(self) -> None:
        """Let every worker finish its step, and end."""
        self.slots.order[0] = Order.STOP
        deadline = time.monotonic() + PATIENCE_S
        for member in self.members:
            member.process.join(max(0.0, deadline - time.monotonic()))
            if member.process.is_alive():
                member.process.kill()
                member.process.join()
        self._read_records()

    def watch(self, stop: Interrupt) -> bool:
        """Until all is done."""
        while any(self.slots.running) and not stop.is_set:
            time.sleep(POLL_S)
            self._read_records()
            for i, member in enumerate(self.members):
                if self.slots.running[i] and not member.process.is_alive():
                    self._buried(member)
            if self.run.save_is_due:
                self._save()
            self._evaluate_if_due()
        self._stop()
        self.run.save()
        self.run.watcher.message(f"{self._throughput()}; {self._staleness()}")
        return self.run.progress.step >= int(self.slots.quota.sum())

    def _start(self, post: Post) -> Member:
        setup = self.run.setup
        assignment = Assignment(
            post,
            setup.config,
            setup.examples[post.task],
            setup.encoder,
            self.network,
            self.run.model,
            self.slots,
            self.run.began,
        )
        reading, writing = self.context.Pipe(duplex=False)
        process = self.context.Process(
            target=work, args=(assignment, writing), name=f"omninet {post.task}", daemon=True
        )
        process.start()
        writing.close()  # so that the pipe ends when the worker does
        member = Member(post, process)
        self.slots.running[post.number] = 1
        # A thread each, so that no worker waits for a main process that is busy.
        threading.Thread(target=self._listen, args=(member, reading), daemon=True).start()
        return member

    def _listen(self, member: Member, reports: Connection) -> None:
        while True:
            try:
                report: Any = reports.recv()
            except (EOFError, OSError):
                return
            if isinstance(report, Cause):
                member.cause = report.text
            else:
                self.records.put(report)

    def _read_records(self) -> None:
        while True:
            try:
                record = self.records.get_nowait()
            except Empty:
                break
            if isinstance(record, StepRecord):
                self.run.watcher.step(record)
            else:
                self.run.watcher.message(record)
        for member in self.members:
            post = member.post
            self.run.progress.drawn[post.task][post.job] = int(self.slots.steps[post.number])
        self.run.progress.skipped = self.skipped_before + int(self.slots.skipped.sum())
        self.run.check_skipped()

    def _buried(self, member: Member) -> None:
        """A worker has ended: it is done, or it is started again, or the run ends."""
        post = member.post
        self.slots.running[post.number] = 0
        if member.process.exitcode == 0:
            return
        member.process.join()
        cause = member.cause or _cause(member.process.exitcode)
        deaths = member.deaths + 1
        if deaths > self.run.setup.config.restarts:
            self._stop()
            self.run.save()
            raise TrainingError(
                f"the worker of task {post.task} died {deaths} times, the last time of: {cause}; "
                f"step {self.run.progress.step} is saved, --resume goes on from there"
            )
        self.run.watcher.message(f"the worker of task {post.task} died ({cause}); started again, time {deaths}")
        self.slots.paused[post.number] = 0
        self.members[post.number] = self._start(post)
        self.members[post.number].deaths = deaths

    def _save(self) -> None:
        with self._pause():
            self._read_records()
            self.run.save()

    @contextmanager
    def _pause(self) -> Iterator[None]:
        """No worker is in the middle of a step."""
        self.slots.order[0] = Order.PAUSE
        deadline = time.monotonic() + PATIENCE_S
        try:
            while any(self._is_busy(member) for member in self.members) and time.monotonic() < deadline:
                time.sleep(POLL_S / 10)
            yield
        finally:
            self.slots.order[0] = Order.RUN

    def _is_busy(self, member: Member) -> bool:
        number = member.post.number
        return bool(self.slots.running[number] and not self.slots.paused[number]) and member.process.is_alive()

    def _evaluate_if_due(self) -> None:
        """In a thread: meanwhile the workers are watched over."""
        if self.run.evaluation_is_due and not (self.evaluation and self.evaluation.is_alive()):
            self.evaluation = threading.Thread(target=self.run.evaluate, daemon=True)
            self.evaluation.start()

    def _throughput(self) -> str:
        """Steps a second of each task in this call, the start of the workers included."""
        seconds = time.time() - self.started
        rates = [
            f"{task} {(self.run.progress.of(task) - before) / seconds:.2f}" for task, before in self.before.items()
        ]
        return f"steps a second: {', '.join(rates)}"

    def _staleness(self) -> str:
        counts = self.slots.staleness.sum(0)
        steps = torch.repeat_interleave(torch.arange(len(counts)), counts).float()
        if not len(steps):
            return "no updates"
        middle, mean, most = int(steps.median()), float(steps.mean()), int(steps.max())
        return f"staleness of {len(steps)} updates: median {middle}, mean {mean:.2f}, most {most}"


def _without_backbone(network: OmniNet) -> OmniNet:
    """The network for workers that are given features: the same tensors, but what computes features stays behind."""
    memo: dict[int, Any] = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    memo[id(network.peripherals["vision"].backbone)] = nn.Identity()
    return copy.deepcopy(network, memo)


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"exit code {exit_code}"
