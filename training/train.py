"""A run from its configuration to its checkpoint, by either runner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.devices import choose_device
from training.config import RunConfig
from training.hogwild import run_hogwild
from training.interrupt import Interrupt
from training.run import Run
from training.setup import set_up
from training.single import run_single


@dataclass(frozen=True)
class Options:
    """What a run needs beside its configuration.

    Attributes:
        data: folder that the data sets' folders are relative to.
        backbone: weights of the vision backbone; see set_up.
        work: folder for subwords and features; None takes the run's own.
        threads: CPU threads to compute with, in all; None takes all there are.
        global_device: where the global model lives.
    """

    data: Path
    backbone: str | None = None
    runner: Literal["hogwild", "single"] = "hogwild"
    lockstep: bool = False
    resume: bool = False
    threads: int | None = None
    global_device: str = "cpu"
    work: Path | None = None


class Stopped(Exception):  # noqa: N818  # nothing went wrong
    """A signal came; the state is saved."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


def train(config: RunConfig, out: Path, options: Options, whole: RunConfig | None = None) -> Path:
    """Train, and write a checkpoint.

    Args:
        whole: the run that ``config`` takes some tasks of; subwords and features are made for all of it.

    Returns:
        the folder of the checkpoint.

    Raises:
        Stopped: by Ctrl-C or SIGTERM.
    """
    device = choose_device(options.global_device)
    setup = set_up(config, options.data, options.backbone, options.work or out, whole)
    workers = sum(task.jobs for task in config.tasks.values())
    how = "One process" if options.runner == "single" else f"Hogwild with {workers} workers"
    with Run(setup, out, how, options.resume, device) as run, Interrupt() as stop:
        if options.runner == "single":
            done = run_single(run, stop)
        else:
            done = run_hogwild(run, stop, options.lockstep, options.threads)
        if not done:
            run.save()
            run.watcher.message(f"stopped at step {run.progress.step}; --resume goes on from there")
            raise Stopped(stop.signal)
        return run.finish()
