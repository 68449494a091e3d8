"""A run from its configuration to its checkpoint, by any runner."""

from __future__ import annotations

import logging
import os
import platform
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from omninet.model.errors import ConfigError
from omninet.model.fast.devices import choose_device
from omninet.training.backbone import source_of_resumed
from omninet.training.config import RunConfig
from omninet.training.hogwild import make_posts, run_hogwild
from omninet.training.hogwild.worker import Post
from omninet.training.network import needs_backbone
from omninet.training.runtime.interrupt import Interrupt, Stopped
from omninet.training.runtime.launch import Launch
from omninet.training.runtime.run import Run
from omninet.training.runtime.single import run_single
from omninet.training.setup import set_up

Runner = Literal["hogwild", "single", "distributed"]


@dataclass(frozen=True)
class Options:
    """What a run needs beside its configuration.

    Attributes:
        data: folder that the data sets' folders are relative to.
        backbone: weights of the vision backbone, see set_up; None is for a resumed run, which goes on with its own.
        work: folder for subwords and features; None takes the run's own.
        threads: CPU threads to compute with, in all on this machine; None takes all there are.
        global_device: where the global model lives.
        start: folder of a checkpoint to start from; None starts from random weights.
    """

    data: Path
    backbone: str | None = None
    runner: Runner = "hogwild"
    lockstep: bool = False
    resume: bool = False
    threads: int | None = None
    global_device: str = "cpu"
    work: Path | None = None
    start: Path | None = None


def train(config: RunConfig, out: Path, options: Options, whole: RunConfig | None = None) -> Path:
    """Train, and write a checkpoint.

    Args:
        whole: the run that ``config`` takes some tasks of; subwords and features are made for all of it.

    Returns:
        the folder of the checkpoint.

    Raises:
        Stopped: by Ctrl-C or SIGTERM.
    """
    launch = Launch.read()
    if options.runner == "distributed":
        return _train_distributed(config, out, options, whole, launch)
    if launch.ranks > 1:
        raise ConfigError(f"torchrun has started {launch.ranks} ranks, which --runner {options.runner} does not know")
    home = choose_device(options.global_device)
    if options.runner == "single":
        config, posts = _one_job(config), []
    else:
        posts = make_posts(config, options.lockstep, options.threads)
    devices = [home, *(post.device for post in posts)]
    how = f"{_runner(options, posts)} on {_machine(devices)}"
    setup = set_up(
        config, options.data, _backbone(config, options, out), options.work or out, whole, options.start, options.resume
    )
    with Run(setup, out, how, options.resume, devices) as run, Interrupt() as stop:
        done = run_single(run, stop) if options.runner == "single" else run_hogwild(run, posts, stop)
        return _conclude(run, done, stop)


def _train_distributed(config: RunConfig, out: Path, options: Options, whole: RunConfig | None, launch: Launch) -> Path:
    from omninet.training.distributed import RankedRun, Ranks, named, run_distributed

    if launch.rank:
        logging.getLogger().setLevel(logging.WARNING)  # the first rank speaks for all
    config, work = _one_job(config), options.work or out
    with Ranks(launch) as ranks:
        torch.set_num_threads(max(1, (options.threads or os.cpu_count() or 1) // launch.local_ranks))
        if config.sharded and not torch.distributed.is_initialized():
            raise ConfigError("sharded: there is one rank to shard over; start the run by torchrun")
        how = f"Synchronous steps of {named(ranks.count)} on {_machine([ranks.device])}"
        setup = ranks.in_turn(
            lambda: set_up(
                config, options.data, _backbone(config, options, out), work, whole, options.start, options.resume
            )
        )
        with RankedRun(setup, out, how, options.resume, ranks) as run, Interrupt() as stop:
            return _conclude(run, run_distributed(run, stop), stop)


def _backbone(config: RunConfig, options: Options, out: Path) -> str | None:
    if options.resume and options.backbone is None:
        return source_of_resumed(out, needs_backbone(config))
    return options.backbone


def _conclude(run: Run, done: bool, stop: Interrupt) -> Path:
    """The checkpoint of a run that is done."""
    if not done:
        run.watcher.message(f"stopped at step {run.progress.step}; --resume goes on from there")
        raise Stopped(stop.signal or signal.SIGTERM)  # it may be another rank that was told to
    return run.finish()


def _one_job(config: RunConfig) -> RunConfig:
    tasks = {name: task.model_copy(update={"jobs": 1}) for name, task in config.tasks.items()}
    return config.model_copy(update={"tasks": tasks})


def _runner(options: Options, posts: Sequence[Post]) -> str:
    if options.runner == "single":
        return "One process"
    return f"Hogwild{' in lockstep' if options.lockstep else ''} with {len(posts)} workers"


def _machine(devices: Sequence[torch.device]) -> str:
    """For people: the graphics cards, or the processor."""
    cards = dict.fromkeys(device for device in devices if device.type == "cuda")
    if cards:
        return ", ".join(torch.cuda.get_device_name(device) for device in cards)
    return f"{os.cpu_count()} cores of a {platform.machine()} CPU"
