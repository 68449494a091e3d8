"""What the studies share: parts of a run, networks that are trained once, and the data to measure them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import ConfigError
from omninet.model.model_config import CONFIG
from omninet.training.config import RunConfig
from omninet.training.runtime.schedule import quotas

LOG = logging.getLogger(__name__)
Train = Callable[[RunConfig, Path], object]


def train_once(train: Train, config: RunConfig, folder: Path) -> Path:
    """Train in a folder unless it has a checkpoint; return the folder of the checkpoint."""
    checkpoint = folder / "checkpoint"
    if not (checkpoint / CONFIG).exists():
        LOG.info("training %s", folder.name)
        train(config, folder)
    return checkpoint


def first_sets(config: RunConfig, tasks: Iterable[str]) -> RunConfig:
    """Return a configuration of these tasks with only the first data set of each."""
    return config.model_copy(
        update={"tasks": {task: config.tasks[task].model_copy(update={"more": ()}) for task in tasks}}
    )


def parameters_of(checkpoint: Checkpoint) -> float:
    """Return the number of parameters in millions."""
    return sum(p.numel() for p in checkpoint.network.parameters()) / 1e6


def of_tasks(config: RunConfig, tasks: Sequence[str]) -> RunConfig:
    """Return a configuration of some tasks, with their number of steps and their learning rates in the whole run.

    Raises:
        ConfigError: ``mixing`` is not ``shares``, so the number of steps depends on the data.
    """
    if config.mixing != "shares":
        raise ConfigError(f"reproduce needs mixing: shares, not {config.mixing}")
    steps = sum(sum(quotas(config)[task]) for task in tasks)
    part = config.model_copy(update={"tasks": {task: config.tasks[task] for task in tasks}})
    return of_steps(part, steps)


def of_steps(config: RunConfig, steps: int) -> RunConfig:
    """Return a configuration with another number of steps and the same learning rates over its run."""
    share = steps / config.steps
    return config.model_copy(
        update={
            "steps": steps,
            "warmup": max(1, round(config.warmup * share)),
            "factor": config.factor * share**0.5,
        }
    )
