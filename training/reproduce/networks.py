"""Networks of a study, each of which is trained and measured once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from omninet.model import checkpoint as checkpoints
from omninet.model.checkpoint import Checkpoint
from omninet.model.network.experts import Experts
from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.evaluate import answer_data
from omninet.training.reproduce.parts import first_sets, of_steps, parameters_of, train_once
from omninet.training.watch.log import read_log

TrainFrom = Callable[[RunConfig, Path, Path | None], object]  # configuration, folder, checkpoint to start from
FIGURES, LOG = "figures.json", "log.jsonl"
PART = 3  # the smaller comparisons have one of this many of the steps
SHORT = "a third of the steps"
SEEDS = 3


@dataclass(frozen=True)
class Networks:
    """Trains and measures networks in folders of their own.

    Attributes:
        train: trains a configuration in a folder, from a checkpoint or from random weights, and writes a checkpoint.
        limit: maximum number of dev examples per task; None uses all.
    """

    data: Path
    out: Path
    train: TrainFrom
    limit: int | None = None

    def measured(self, name: str, config: RunConfig, start: Path | None = None) -> dict[str, float]:
        """Train and measure a network, unless that is done.

        Args:
            name: of its folder.
            start: checkpoint to start from.

        Returns:
            The main metric of each task on the first of its data sets; the number of ``parameters``, and of those that
            are ``used`` for a position, in millions; ``milliseconds`` of a step and ``samples`` a second in training.
        """
        folder = self.out / name
        checkpoint = train_once(partial(self._train_from, start), config, folder)
        kept = folder / FIGURES
        if kept.exists():
            found = json.loads(kept.read_text(encoding="utf-8"))
            if found["limit"] == self.limit:
                return dict(found["figures"])
        figures = self._figures(checkpoint, config) | speed(folder / LOG)
        part = kept.with_suffix(".part")
        part.write_text(json.dumps({"limit": self.limit, "figures": figures}) + "\n", encoding="utf-8")
        part.replace(kept)
        return figures

    def _train_from(self, start: Path | None, config: RunConfig, folder: Path) -> object:
        return self.train(config, folder, start)

    def _figures(self, folder: Path, config: RunConfig) -> dict[str, float]:
        found = checkpoints.load(folder)
        figures = {"parameters": parameters_of(found), "used": used(found)}
        sets = first_sets(config, found.config.network.tasks)
        for answered in answer_data(Predictor(found, precision="float32"), sets, self.data, self.limit):
            figures[answered.task.name] = next(iter(answered.metrics().values()))
        return figures


@dataclass(frozen=True)
class NetworkStudy:
    """A configuration that is trained as a whole and in parts.

    Attributes:
        seeds: of the full runs; the first one is that of the others. Empty uses SEEDS, from the configured one on.
    """

    config: RunConfig
    networks: Networks
    seeds: Sequence[int] = ()

    @property
    def every_seed(self) -> Sequence[int]:
        """Return the seeds of the full runs."""
        return self.seeds or range(self.config.seed, self.config.seed + SEEDS)

    def changed(self, short: bool, **changes: Any) -> RunConfig:
        """Return the configuration with some changes, and, if it is short, with one of PART of the steps."""
        whole = self.config.model_copy(update=changes)
        return of_steps(whole, max(1, whole.steps // PART)) if short else whole


def used(checkpoint: Checkpoint) -> float:
    """Return the number of parameters in millions without the experts that a position does not choose."""
    idle = 0
    for mixture in checkpoint.network.modules():
        if isinstance(mixture, Experts):
            size = sum(p.numel() for p in mixture.experts.parameters())
            idle += size - size // len(mixture.experts) * mixture.chosen
    return parameters_of(checkpoint) - idle / 1e6


def speed(log: Path) -> dict[str, float]:
    """Return ``milliseconds`` of a step and ``samples`` a second of a run, from its log; empty if it is too short."""
    steps = [entry for entry in read_log(log) if entry["kind"] == "step"] if log.exists() else []
    if len(steps) < 2:
        return {}
    seconds = steps[-1]["seconds"] - steps[0]["seconds"]
    samples = sum(step["samples"] for step in steps[1:])
    return {"milliseconds": 1000 * seconds / (len(steps) - 1), "samples": samples / seconds}
