"""One process, tasks interleaved by seed: the deterministic reference of all runners."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from training.batches import Batch, stream
from training.data import DataError
from training.schedule import cooldown, noam
from training.setup import Setup
from training.step import StepResult, make_optimiser, train_step

LOG = logging.getLogger(__name__)
SAVE_EVERY_S = 300.0
REPORT_EVERY = 50


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        drawn: task -> batches taken from its stream.
        seconds: of training, over all calls.
    """

    step: int = 0
    drawn: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def run_single(setup: Setup, folder: Path, resume: bool = False) -> Progress:
    """Train to the last step of the configuration; ``folder`` takes the log and the state to resume from.

    A run that was stopped and resumed goes through the same batches and the same random numbers as
    one that was not.
    """
    config, network = setup.config, setup.network
    folder.mkdir(parents=True, exist_ok=True)
    optimiser = make_optimiser(network)
    progress = Progress(drawn=dict.fromkeys(config.tasks, 0))
    torch.manual_seed(config.seed)
    if resume:
        progress = _restore(folder / "state.pt", network, optimiser)
    streams = _streams(setup, progress)
    network.train()
    saved = clock = time.monotonic()
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        for step in tqdm(range(progress.step + 1, config.steps + 1), initial=progress.step, total=config.steps):
            task = _draw(config.tasks, config.seed, step)
            rate = _rate(setup, task, step)
            result = train_step(network, optimiser, next(streams[task]), rate, config.clip, setup.precision)
            clock, before = time.monotonic(), clock
            progress.step, progress.drawn[task] = step, progress.drawn[task] + 1
            progress.seconds += clock - before
            _report(log, step, progress.seconds, result)
            if clock - saved > SAVE_EVERY_S:
                _save(folder / "state.pt", network, optimiser, progress)
                saved = clock
    _save(folder / "state.pt", network, optimiser, progress)
    return progress


def _streams(setup: Setup, progress: Progress) -> dict[str, Iterator[Batch]]:
    return {
        name: stream(setup.examples[name], run.batch, setup.encoder, setup.config.seed, progress.drawn[name])
        for name, run in setup.config.tasks.items()
    }


def _draw(tasks: dict[str, Any], seed: int, step: int) -> str:
    """The task of a step, by the tasks' shares."""
    return random.Random(f"{seed}:{step}").choices(list(tasks), [run.share for run in tasks.values()])[0]


def _rate(setup: Setup, task: str, step: int) -> float:
    config = setup.config
    rate = noam(step, config.factor, config.warmup, config.tasks[task].cap)
    return rate * cooldown((step - 1) / config.steps, config.cooldown)


def _report(log: Any, step: int, seconds: float, result: StepResult) -> None:
    entry = {"step": step, "seconds": round(seconds, 2), "task": result.task}
    log.write(json.dumps(entry | {"loss": round(result.loss, 4), "accuracy": round(result.accuracy, 4)}) + "\n")
    if step % REPORT_EVERY == 0:
        log.flush()


def _save(path: Path, network: torch.nn.Module, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
    state = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "progress": vars(progress),
        "random": torch.get_rng_state(),
    }
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def _restore(path: Path, network: torch.nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    if not path.exists():
        raise DataError(f"{path} is missing: there is no run to resume")
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["random"])
    return Progress(**state["progress"])
