"""The supervisor of a Hogwild run: start, monitor and restart workers, and save and evaluate the global model."""

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
from omninet.training.hogwild.validator import Validator
from omninet.training.hogwild.worker import Assignment, Failure, WorkerSpec, work
from omninet.training.runtime.interrupt import SIGNALS, Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.schedule import quotas
from omninet.training.runtime.shared import Order, Slots
from omninet.training.runtime.trainer import TrainingError
from omninet.training.watch import StepRecord

POLL_S = 0.1
SAVE_TIMEOUT_S = 5.0  # time-out for workers to finish their step before a periodic save
STOP_TIMEOUT_S = 120.0  # time-out for workers to finish their step at the end of the run and before an evaluation


@dataclass
class Worker:
    """One worker and its process.

    Attributes:
        listener: thread that receives the worker's reports.
        cause: error that the worker reported before its process ended.
        deaths: number of abnormal exits so far.
    """

    spec: WorkerSpec
    process: BaseProcess
    listener: threading.Thread | None = None
    cause: str = ""
    deaths: int = 0


def worker_specs(config: RunConfig, lockstep: bool = False, threads: int | None = None) -> list[WorkerSpec]:
    """Return a specification for each worker of each task.

    Args:
        lockstep: synchronise all workers after every step (the barrier in the authors' code).
        threads: CPU threads to divide among the workers; None uses all cores.
    """
    pairs = [(task, job) for task, run in config.tasks.items() for job in range(run.jobs)]
    each = max(1, (threads or os.cpu_count() or 1) // len(pairs))
    return [
        WorkerSpec(i, task, job, config.tasks[task].jobs, _device(config.tasks[task].device, i), each, lockstep)
        for i, (task, job) in enumerate(pairs)
    ]


def _device(name: str, number: int) -> torch.device:
    if name == "auto" and torch.cuda.is_available():
        return torch.device("cuda", number % torch.cuda.device_count())
    return choose_device(name)


def run_hogwild(run: Run, specs: Sequence[WorkerSpec], stop: Interrupt) -> bool:
    """Train until every worker has done its quota or ``stop`` is set; return True if all steps are done.

    Raises:
        TrainingError: a worker died more often than ``restarts`` allows, or more samples are unreadable than
            ``max_skipped`` allows. The state has been saved.
    """
    # Each tensor in shared memory needs a file descriptor, and a large frozen backbone has about a thousand tensors.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with _Supervisor(run, specs) as supervisor:
        return supervisor.watch(stop)


class _Supervisor:
    def __init__(self, run: Run, specs: Sequence[WorkerSpec]) -> None:
        self.run = run
        self.slots = Slots.of(len(specs))
        self.records: SimpleQueue[StepRecord | str] = SimpleQueue()
        # The fork server imports the modules once, so that starting or restarting a worker is quick.
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([work.__module__])
        self.before = {task: run.progress.of(task) for task in run.progress.drawn}
        self.started = time.time()
        self.evaluation: threading.Thread | None = None
        self.validator = Validator(run)
        network = run.setup.network
        self.network = _without_backbone(network) if run.setup.config.media == "features" else network
        self._initialise_slots(specs)
        self.workers = [self._start(spec) for spec in specs]

    def __enter__(self) -> _Supervisor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # After a second Ctrl-C, kill the workers at once.
        self._stop(timeout_s=0.0 if kind is KeyboardInterrupt else STOP_TIMEOUT_S)

    def watch(self, stop: Interrupt) -> bool:
        """Monitor the workers until all are done or ``stop`` is set; return True if all steps are done."""
        try:
            while any(self.slots.running) and not stop.is_set:
                self._tick()
        except TrainingError:
            self._finish()
            raise
        self._finish()
        self.run.watcher.message(f"{self._throughput()}; {self._staleness()}")
        return self.run.progress.step >= int(self.slots.quota.sum())

    def _initialise_slots(self, specs: Sequence[WorkerSpec]) -> None:
        wanted, progress = quotas(self.run.setup.config), self.run.progress
        for spec in specs:
            self.slots.quota[spec.number] = wanted[spec.task][spec.job]
            self.slots.steps[spec.number] = progress.drawn[spec.task][spec.job]
            self.slots.left_out[spec.number] = progress.left_out[spec.task][spec.job]
            self.slots.stopped[spec.number] = self.run.scheduler.is_stopped(spec.task)
            self.slots.skipped[spec.number] = progress.skipped.get(spec.task, 0) if spec.job == 0 else 0

    def _tick(self) -> None:
        """Process reports and exits, then save and evaluate if due."""
        time.sleep(POLL_S)
        self._read_reports()
        self._reap()
        self.run.check_skipped()
        if self.run.save_is_due:
            self._save(SAVE_TIMEOUT_S)
        self._schedule()
        if self.run.evaluation_is_due and not (self.evaluation and self.evaluation.is_alive()):
            self._save(STOP_TIMEOUT_S)  # a failing evaluation must not lose steps
            # A thread, so that workers are still monitored during the evaluation.
            self.evaluation = threading.Thread(target=self.run.evaluate, daemon=True)
            self.evaluation.start()

    def _schedule(self) -> None:
        """Validate a task if due, and tell the workers which tasks are stopped."""
        self.validator.apply()
        self.validator.start_if_due()
        for worker in self.workers:
            self.slots.stopped[worker.spec.number] = self.run.scheduler.is_stopped(worker.spec.task)

    def _finish(self) -> None:
        self._stop(STOP_TIMEOUT_S)
        if self.evaluation:
            self.evaluation.join()
        self.validator.finish()
        self.run.save()

    def _stop(self, timeout_s: float) -> None:
        """Ask every worker to stop after its current step; kill those still running after ``timeout_s`` seconds."""
        self.slots.order[0] = Order.STOP
        deadline = time.monotonic() + timeout_s
        for worker in self.workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
            self._join(worker)
        self._read_reports()

    def _start(self, spec: WorkerSpec, deaths: int = 0) -> Worker:
        setup, slots = self.run.setup, self.slots
        assigned, assigning = self.context.Pipe(duplex=False)
        reading, writing = self.context.Pipe(duplex=False)
        name = f"omninet {spec.task}"
        process = self.context.Process(target=work, args=(assigned, writing), name=name, daemon=True)
        with _signals_blocked():
            process.start()
        # Close this process's copies of the worker's ends, so that the pipes reach EOF when the worker exits.
        assigned.close()
        writing.close()
        worker = Worker(spec, process, deaths=deaths)
        slots.paused[spec.number] = 1
        slots.running[spec.number] = 1
        with closing(assigning), suppress(BrokenPipeError, ConnectionError):  # the worker died early: _reap handles it
            examples = setup.examples[spec.task]
            parts = (setup.encoder, self.network, self.run.model, slots, self.run.began)
            assigning.send(Assignment(spec, setup.config, examples, *parts))
        # One thread per worker, so that no worker blocks on a full pipe while the main process is busy.
        worker.listener = threading.Thread(target=self._listen, args=(worker, reading), daemon=True)
        worker.listener.start()
        return worker

    def _listen(self, worker: Worker, reports: Connection) -> None:
        with closing(reports), suppress(EOFError, OSError):
            while True:
                report: Any = reports.recv()
                if isinstance(report, Failure):
                    worker.cause = report.text
                else:
                    self.records.put(report)

    def _join(self, worker: Worker) -> None:
        """Wait until a worker's process has exited and all of its reports are queued."""
        worker.process.join()
        if worker.listener:
            worker.listener.join()

    def _read_reports(self) -> None:
        while not self.records.empty():
            report = self.records.get()
            if isinstance(report, StepRecord):
                self.run.watcher.step(report)
            else:
                self.run.watcher.message(report)
        progress = self.run.progress
        progress.skipped = dict.fromkeys(progress.drawn, 0)
        for worker in self.workers:
            spec = worker.spec
            progress.drawn[spec.task][spec.job] = int(self.slots.steps[spec.number])
            progress.left_out[spec.task][spec.job] = int(self.slots.left_out[spec.number])
            progress.skipped[spec.task] += int(self.slots.skipped[spec.number])

    def _reap(self) -> None:
        """Detect workers that have exited, and restart those that failed.

        Raises:
            TrainingError: a worker failed more often than ``restarts`` allows.
        """
        for i, worker in enumerate(self.workers):
            if self.slots.running[i] and not worker.process.is_alive():
                self._join(worker)
                self.slots.running[i] = 0
                if worker.process.exitcode != 0:
                    self._replace(worker)

    def _replace(self, worker: Worker) -> None:
        spec, deaths = worker.spec, worker.deaths + 1
        cause = worker.cause or _describe_exit(worker.process.exitcode)
        if deaths > self.run.setup.config.restarts:
            raise TrainingError(
                f"the worker of task {spec.task} died {deaths} times, the last time of: {cause}; "
                f"step {int(self.slots.done.sum())} is saved, continue from it with --resume"
            )
        self.run.watcher.message(f"the worker of task {spec.task} died ({cause}); restarting it, attempt {deaths}")
        self.workers[spec.number] = self._start(spec, deaths)

    def _save(self, timeout_s: float) -> None:
        """Pause all workers and save the state; postpone the save if a worker is still busy after the time-out."""
        self.slots.order[0] = Order.PAUSE
        deadline = time.monotonic() + timeout_s
        try:
            while any(map(self._is_busy, self.workers)) and time.monotonic() < deadline:
                time.sleep(POLL_S / 10)
            if any(map(self._is_busy, self.workers)):
                self.run.postpone_save()
                self.run.watcher.message("saving is postponed: a worker did not finish its step within the time-out")
            else:
                self._read_reports()
                self.run.save()
        finally:
            self.slots.order[0] = Order.RUN

    def _is_busy(self, worker: Worker) -> bool:
        number = worker.spec.number
        return bool(self.slots.running[number] and not self.slots.paused[number]) and worker.process.is_alive()

    def _throughput(self) -> str:
        """Return the steps per second of each task in this call, including the start of the workers, as text."""
        seconds = time.time() - self.started
        rates = [
            f"{task} {(self.run.progress.of(task) - before) / seconds:.2f}" for task, before in self.before.items()
        ]
        return f"steps per second: {', '.join(rates)}"

    def _staleness(self) -> str:
        counts = self.slots.staleness.sum(0)
        steps = torch.repeat_interleave(torch.arange(len(counts)), counts).float()
        if not len(steps):
            return "no updates"
        middle, mean, most = int(steps.median()), float(steps.mean()), int(steps.max())
        return f"staleness of {len(steps)} updates: median {middle}, mean {mean:.2f}, maximum {most}"


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block SIGINT and SIGTERM while a process is started, so that it inherits the mask; deliver them afterwards."""
    resource_tracker.ensure_running()  # it unblocks the signals when it starts, so start it before they are blocked
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _without_backbone(network: OmniNet) -> OmniNet:
    """Return the network with shared tensors but without its backbones, for workers that read precomputed features."""
    memo: dict[int, Any] = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    memo |= {id(peripheral.backbone): nn.Identity() for peripheral in backboned(network)}
    return copy.deepcopy(network, memo)


def _describe_exit(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"exit code {exit_code}"
