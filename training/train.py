"""Train a run from its configuration to its checkpoint, with any runner."""

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
from omninet.training.hogwild import run_hogwild, worker_specs
from omninet.training.hogwild.worker import WorkerSpec
from omninet.training.network import needs_backbone
from omninet.training.runtime.interrupt import Interrupt, Stopped
from omninet.training.runtime.launch import Launch
from omninet.training.runtime.run import Run
from omninet.training.runtime.single import run_single
from omninet.training.setup import set_up

Runner = Literal["hogwild", "single", "distributed"]


@dataclass(frozen=True)
class Options:
    """Options of a run that are not part of its configuration.

    Attributes:
        data: folder that contains the data sets' folders.
        backbone: weights of the vision backbone, see set_up; None makes a resumed run use its own.
        work: cache folder for subwords and features; None uses the run's folder.
        threads: CPU threads in total on this machine; None uses all cores.
        global_device: device of the global model.
        start: folder of a checkpoint to initialise from; None starts from random weights.
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
    """Train and write a checkpoint.

    Args:
        whole: configuration from which ``config`` selects tasks; subwords and features are made for all of it.

    Returns:
        The folder of the checkpoint.

    Raises:
        Stopped: SIGINT (Ctrl-C) or SIGTERM was received.
    """
    launch = Launch.read()
    if options.runner == "distributed":
        return _train_distributed(config, out, options, whole, launch)
    if launch.ranks > 1:
        raise ConfigError(
            f"torchrun has started {launch.ranks} ranks: use --runner distributed, not --runner {options.runner}"
        )
    home = choose_device(options.global_device)
    if options.runner == "single":
        config, specs = _one_job(config), []
    else:
        specs = worker_specs(config, options.lockstep, options.threads)
    devices = [home, *(spec.device for spec in specs)]
    how = f"{_runner(options, specs)} on {_machine(devices)}"
    setup = set_up(
        config, options.data, _backbone(config, options, out), options.work or out, whole, options.start, options.resume
    )
    with Run(setup, out, how, options.resume, devices) as run, Interrupt() as stop:
        done = run_single(run, stop) if options.runner == "single" else run_hogwild(run, specs, stop)
        return _conclude(run, done, stop)


def _train_distributed(config: RunConfig, out: Path, options: Options, whole: RunConfig | None, launch: Launch) -> Path:
    from omninet.training.distributed import RankedRun, Ranks, named, run_distributed

    if launch.rank:
        logging.getLogger().setLevel(logging.WARNING)  # only rank 0 logs progress
    config, work = _one_job(config), options.work or out
    with Ranks(launch) as ranks:
        torch.set_num_threads(max(1, (options.threads or os.cpu_count() or 1) // launch.local_ranks))
        if config.sharded and not torch.distributed.is_initialized():
            raise ConfigError("sharded: sharding needs several ranks; start the run with torchrun")
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
    """Write the checkpoint of a finished run and return its folder; raise Stopped for an unfinished one."""
    if not done:
        run.watcher.message(f"stopped at step {run.progress.step}; continue with --resume")
        raise Stopped(stop.signal or signal.SIGTERM)  # the signal may have been received by another rank
    return run.finish()


def _one_job(config: RunConfig) -> RunConfig:
    tasks = {name: task.model_copy(update={"jobs": 1}) for name, task in config.tasks.items()}
    return config.model_copy(update={"tasks": tasks})


def _runner(options: Options, specs: Sequence[WorkerSpec]) -> str:
    if options.runner == "single":
        return "One process"
    return f"Hogwild{' in lockstep' if options.lockstep else ''} with {len(specs)} workers"


def _machine(devices: Sequence[torch.device]) -> str:
    """Return the names of the GPUs, or a description of the CPU."""
    cards = dict.fromkeys(device for device in devices if device.type == "cuda")
    if cards:
        return ", ".join(torch.cuda.get_device_name(device) for device in cards)
    return f"{os.cpu_count()} cores of a {platform.machine()} CPU"
