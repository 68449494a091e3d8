"""The main process: starts the workers, watches over them, saves, and ends the run."""

from __future__ import annotations

import copy
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from types import TracebackType
from typing import Any

import torch
from torch import multiprocessing, nn

from omninet.model.fast.devices import choose_device
from omninet.model.modalities.peripheral import backboned
from omninet.model.network.omninet import OmniNet
from omninet.training.config import RunConfig
from omninet.training.hogwild.worker import Assignment, Cause, Post, work
from omninet.training.runtime.interrupt import SIGNALS, Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.schedule import quotas
from omninet.training.runtime.shared import Order, Slots
from omninet.training.runtime.trainer import TrainingError
from omninet.training.watch import StepRecord

POLL_S = 0.1
PAUSE_S = 5.0  # for the step that a worker is in, when a state is to be saved
PATIENCE_S = 120.0  # for the same at the end, and before an evaluation


@dataclass
class Member:
    """A worker as the main process sees it.

    Attributes:
        listener: takes its reports.
        cause: what it said before it died.
        deaths: how often it has died.
    """

    post: Post
    process: BaseProcess
    listener: threading.Thread | None = None
    cause: str = ""
    deaths: int = 0


def make_posts(config: RunConfig, lockstep: bool = False, threads: int | None = None) -> list[Post]:
    """A post for each worker of each task, on its device.

    Args:
        lockstep: all workers take each step together, as the authors' barrier has it.
        threads: CPU threads, shared out among the workers; None takes all there are.
    """
    pairs = [(task, job) for task, run in config.tasks.items() for job in range(run.jobs)]
    each = max(1, (threads or os.cpu_count() or 1) // len(pairs))
    return [
        Post(i, task, job, config.tasks[task].jobs, _device(config.tasks[task].device, i), each, lockstep)
        for i, (task, job) in enumerate(pairs)
    ]


def _device(name: str, number: int) -> torch.device:
    if name == "auto" and torch.cuda.is_available():
        return torch.device("cuda", number % torch.cuda.device_count())
    return choose_device(name)


def run_hogwild(run: Run, posts: Sequence[Post], stop: Interrupt) -> bool:
    """Train until every worker has done its steps, or until ``stop`` is set; whether all steps are done.

    Raises:
        TrainingError: a worker died more often than ``restarts`` allows, or too many samples cannot be read; the state
            has been saved.
    """
    # Every tensor in shared memory is an open file, and a large frozen backbone has a thousand.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with _Supervisor(run, posts) as supervisor:
        return supervisor.watch(stop)


class _Supervisor:
    def __init__(self, run: Run, posts: Sequence[Post]) -> None:
        self.run = run
        self.slots = Slots.of(len(posts))
        self.records: SimpleQueue[StepRecord | str] = SimpleQueue()
        # Workers are forked from a process that has imported what they need: one import for all, and a quick restart.
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([work.__module__])
        self.before = {task: run.progress.of(task) for task in run.progress.drawn}
        self.started = time.time()
        self.evaluation: threading.Thread | None = None
        network = run.setup.network
        self.network = _without_backbone(network) if run.setup.config.media == "features" else network
        self._fill_slots(posts)
        self.members = [self._start(post) for post in posts]

    def __enter__(self) -> _Supervisor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # Whoever presses Ctrl-C twice waits for nobody.
        self._stop(patience_s=0.0 if kind is KeyboardInterrupt else PATIENCE_S)

    def watch(self, stop: Interrupt) -> bool:
        """Until all is done."""
        try:
            while any(self.slots.running) and not stop.is_set:
                self._look()
        except TrainingError:
            self._end()
            raise
        self._end()
        self.run.watcher.message(f"{self._throughput()}; {self._staleness()}")
        return self.run.progress.step >= int(self.slots.quota.sum())

    def _fill_slots(self, posts: Sequence[Post]) -> None:
        wanted, progress = quotas(self.run.setup.config), self.run.progress
        for post in posts:
            self.slots.quota[post.number] = wanted[post.task][post.job]
            self.slots.steps[post.number] = progress.drawn[post.task][post.job]
            self.slots.skipped[post.number] = progress.skipped.get(post.task, 0) if post.job == 0 else 0

    def _look(self) -> None:
        """What is to be done every now and then."""
        time.sleep(POLL_S)
        self._read_reports()
        self._bury_the_dead()
        self.run.check_skipped()
        if self.run.save_is_due:
            self._save(PAUSE_S)
        if self.run.evaluation_is_due and not (self.evaluation and self.evaluation.is_alive()):
            self._save(PATIENCE_S)  # whatever happens in the evaluation loses no steps
            # In a thread: meanwhile the workers are watched over.
            self.evaluation = threading.Thread(target=self.run.evaluate, daemon=True)
            self.evaluation.start()

    def _end(self) -> None:
        self._stop(PATIENCE_S)
        if self.evaluation:
            self.evaluation.join()
        self.run.save()

    def _stop(self, patience_s: float) -> None:
        """Let every worker finish its step, and end."""
        self.slots.order[0] = Order.STOP
        deadline = time.monotonic() + patience_s
        for member in self.members:
            member.process.join(max(0.0, deadline - time.monotonic()))
            if member.process.is_alive():
                member.process.kill()
            self._wait_for(member)
        self._read_reports()

    def _start(self, post: Post, deaths: int = 0) -> Member:
        setup, slots = self.run.setup, self.slots
        assigned, assigning = self.context.Pipe(duplex=False)
        reading, writing = self.context.Pipe(duplex=False)
        name = f"omninet {post.task}"
        process = self.context.Process(target=work, args=(assigned, writing), name=name, daemon=True)
        with _unheard_signals():
            process.start()
        # Only the worker's ends are left, so that a pipe ends when the worker does.
        assigned.close()
        writing.close()
        member = Member(post, process, deaths=deaths)
        slots.paused[post.number] = 1
        slots.running[post.number] = 1
        with closing(assigning), suppress(BrokenPipeError, ConnectionError):  # it is dead, and will be buried
            examples = setup.examples[post.task]
            parts = (setup.encoder, self.network, self.run.model, slots, self.run.began)
            assigning.send(Assignment(post, setup.config, examples, *parts))
        # A thread each, so that no worker waits for a main process that is busy.
        member.listener = threading.Thread(target=self._listen, args=(member, reading), daemon=True)
        member.listener.start()
        return member

    def _listen(self, member: Member, reports: Connection) -> None:
        with closing(reports), suppress(EOFError, OSError):
            while True:
                report: Any = reports.recv()
                if isinstance(report, Cause):
                    member.cause = report.text
                else:
                    self.records.put(report)

    def _wait_for(self, member: Member) -> None:
        """Until a worker that ends is gone and all it said is heard."""
        member.process.join()
        if member.listener:
            member.listener.join()

    def _read_reports(self) -> None:
        while not self.records.empty():
            report = self.records.get()
            if isinstance(report, StepRecord):
                self.run.watcher.step(report)
            else:
                self.run.watcher.message(report)
        progress = self.run.progress
        progress.skipped = dict.fromkeys(progress.drawn, 0)
        for member in self.members:
            post = member.post
            progress.drawn[post.task][post.job] = int(self.slots.steps[post.number])
            progress.skipped[post.task] += int(self.slots.skipped[post.number])

    def _bury_the_dead(self) -> None:
        """A worker that has ended is done, or it is started again, or the run ends."""
        for i, member in enumerate(self.members):
            if self.slots.running[i] and not member.process.is_alive():
                self._wait_for(member)
                self.slots.running[i] = 0
                if member.process.exitcode != 0:
                    self._replace(member)

    def _replace(self, member: Member) -> None:
        post, deaths = member.post, member.deaths + 1
        cause = member.cause or _cause(member.process.exitcode)
        if deaths > self.run.setup.config.restarts:
            raise TrainingError(
                f"the worker of task {post.task} died {deaths} times, the last time of: {cause}; "
                f"step {int(self.slots.steps.sum())} is saved, --resume goes on from there"
            )
        self.run.watcher.message(f"the worker of task {post.task} died ({cause}); started again, time {deaths}")
        self.members[post.number] = self._start(post, deaths)

    def _save(self, patience_s: float) -> None:
        """While no worker is in the middle of a step; if one is for too long, another time."""
        self.slots.order[0] = Order.PAUSE
        deadline = time.monotonic() + patience_s
        try:
            while any(map(self._is_busy, self.members)) and time.monotonic() < deadline:
                time.sleep(POLL_S / 10)
            if any(map(self._is_busy, self.members)):
                self.run.put_off_saving()
                self.run.watcher.message("a worker is long in its step: the state is saved another time")
            else:
                self._read_reports()
                self.run.save()
        finally:
            self.slots.order[0] = Order.RUN

    def _is_busy(self, member: Member) -> bool:
        number = member.post.number
        return bool(self.slots.running[number] and not self.slots.paused[number]) and member.process.is_alive()

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


@contextmanager
def _unheard_signals() -> Iterator[None]:
    """What is started meanwhile is deaf to signals that reach a whole group; for this process they wait."""
    resource_tracker.ensure_running()  # which lets them through when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _without_backbone(network: OmniNet) -> OmniNet:
    """The network for workers that are given features: the same tensors, but what computes features stays behind."""
    memo: dict[int, Any] = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    memo |= {id(peripheral.backbone): nn.Identity() for peripheral in backboned(network)}
    return copy.deepcopy(network, memo)


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"exit code {exit_code}"
