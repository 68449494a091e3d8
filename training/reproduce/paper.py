"""Reproduce the paper's Table 1 (single- and multi-task) and Table 2 (ablations), and compare gates, on any data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from omninet.model import checkpoint as checkpoints
from omninet.model.checkpoint import Checkpoint
from omninet.model.config import CNPConfig, Gate
from omninet.model.network.omninet import OmniNet
from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.evaluate import answer_data, measure
from omninet.training.evaluate.zero_shot import Comparison, uses_of_motion, zero_shot
from omninet.training.network import tasks_of
from omninet.training.reproduce.parts import Train, first_sets, of_tasks, parameters_of, train_once
from omninet.training.table import Figures, Table

# Rows of the paper's tables; IND means an individual network for each task.
PAPER_1: dict[str, Figures] = {
    "IND": {"pos": 95.61, "caption": 28.9, "METEOR": 25.2, "vqa": 55.31, "activity": 55.29, "parameters": 450},
    "MULT-3": {"METEOR": 25.2, "vqa": 56.79, "parameters": 149.03},
    "MULT-4": {"pos": 95.44, "caption": 27.4, "METEOR": 24.5, "vqa": 55.76, "activity": 54.44, "parameters": 149.07},
}
PAPER_2: dict[str, dict[str, Figures]] = {
    "OmniNet": {
        "IND": {"pos": 95.61, "caption": 28.9, "vqa": 55.31, "activity": 55.29},
        "MULT-4": {"pos": 95.44, "caption": 27.4, "vqa": 55.76, "activity": 54.44},
    },
    "w/o link array": {
        "IND": {"pos": 95.61, "caption": 28.9, "vqa": 54.05, "activity": 45.94},
        "MULT-4": {"pos": 95.44, "caption": 27.4, "vqa": 55.30, "activity": 46.79},
    },
    "w/o spatial cache": {
        "IND": {"pos": 95.61, "caption": 0, "vqa": 39.86, "activity": 10.91},
        "MULT-4": {"pos": 95.44, "caption": 11.9, "vqa": 44.24, "activity": 11.50},
    },
}
ABLATIONS: dict[str, dict[str, Any]] = {
    "OmniNet": {},
    "w/o link array": {"link_array": False},
    "w/o spatial cache": {"spatial_cache": False},
}
COLUMNS = {
    "pos": "POS acc.",
    "caption": "caption BLEU-4",
    "METEOR": "METEOR",
    "vqa": "VQA acc.",
    "activity": "activity",
}
MORE = {"METEOR, PTB tokens": "METEOR"}  # further metric -> its column


@dataclass(frozen=True)
class Study:
    """Trains and evaluates one configuration with several subsets of its tasks.

    Attributes:
        train: trains a configuration in a folder and writes a checkpoint there.
        limit: maximum number of dev examples per task; None uses all.
        seeds: train every network once with each seed; empty uses the configured seed.
    """

    config: RunConfig
    data: Path
    out: Path
    train: Train
    limit: int | None = None
    seeds: Sequence[int] = ()

    def table1(self) -> Table:
        """Return Table 1: each task alone, all tasks without video, and all tasks together."""
        rows = {f"paper, {name}": [figures] for name, figures in PAPER_1.items()}
        rows["ours, IND"] = [study._alone({}) for study in self._seeded()]
        still = tuple(name for name, task in tasks_of(self.config).items() if not task.moves)
        for tasks in (still, tuple(self.config.tasks)):
            if len(tasks) > 1:
                rows[f"ours, MULT-{len(tasks)}"] = [study._together(tasks, {}) for study in self._seeded()]
        return Table(COLUMNS | {"parameters": "parameters, millions"}, rows)

    def table2(self) -> Table:
        """Return Table 2: the trained networks with the link array or the spatial cache disabled."""
        tasks = tuple(self.config.tasks)
        rows = {
            f"paper, {kind}, {name}": [figures] for name, kinds in PAPER_2.items() for kind, figures in kinds.items()
        }
        for name, changes in ABLATIONS.items():
            rows[f"ours, IND, {name}"] = [study._alone(changes) for study in self._seeded()]
            rows[f"ours, MULT-{len(tasks)}, {name}"] = [study._together(tasks, changes) for study in self._seeded()]
        return Table(COLUMNS, rows)

    def gates(self) -> Table:
        """Return a table of all tasks together with each gate, including results on photos in motion."""
        rows = {gate: [study._gated(gate) for study in self._seeded()] for gate in get_args(Gate)}
        moving = {use: task for task in tasks_of(self.config).values() for use in uses_of_motion(task)}
        return Table(COLUMNS | {use: f"{use}, % of {task.name}" for use, task in moving.items()}, rows)

    def _seeded(self) -> list[Study]:
        """Return this study with each of the seeds."""
        seeds = self.seeds or (self.config.seed,)
        return [replace(self, config=self.config.model_copy(update={"seed": seed})) for seed in seeds]

    def _alone(self, changes: Mapping[str, Any]) -> Figures:
        """Evaluate one network per task, as one row; their parameter counts are added."""
        parts = [self._measured(self._trained((task,)), changes) for task in self.config.tasks]
        figures = {name: value for part in parts for name, value in part.items()}
        return figures | {"parameters": sum(part["parameters"] for part in parts)}

    def _together(self, tasks: Sequence[str], changes: Mapping[str, Any]) -> Figures:
        return self._measured(self._trained(tasks), changes)

    def _gated(self, gate: Gate) -> Figures:
        folder = self._trained(tuple(self.config.tasks), gate)
        return self._measured(folder, {}) | self._moving(folder)

    def _trained(self, tasks: Sequence[str], gate: Gate | None = None) -> Path:
        """Train these tasks unless a checkpoint exists; return its folder. ``gate`` None uses the configured gate."""
        config, name = of_tasks(self.config, tasks), "-".join(tasks)
        if config.seed:
            name = f"{name}-seed{config.seed}"
        if gate is not None and gate != config.network.get("cnp", {}).get("gate", CNPConfig.gate):
            network = config.network | {"cnp": config.network.get("cnp", {}) | {"gate": gate}}
            config, name = config.model_copy(update={"network": network}), f"{name}-{gate}"
        return train_once(self.train, config, self.out / name)

    def _moving(self, folder: Path) -> dict[str, float]:
        """Return the score on photos in motion, in percent of the score on the still photos, by use."""
        predictor = Predictor.load(folder, precision="float32")
        answered = answer_data(predictor, first_sets(self.config, predictor.tasks), self.data, self.limit)
        headlines: dict[str, Comparison] = {}
        for comparison in zero_shot(predictor, answered).motion:
            headlines.setdefault(comparison.task, comparison)
        return {task: 100 * found.ratio for task, found in headlines.items() if found.ratio is not None}

    def _measured(self, folder: Path, changes: Mapping[str, Any]) -> dict[str, float]:
        """Return the headline metrics of a checkpoint with some CNP settings changed."""
        found = ablated(checkpoints.load(folder), changes)
        figures = {"parameters": parameters_of(found)}
        config = first_sets(self.config, found.config.network.tasks)
        for answered in answer_data(Predictor(found, precision="float32"), config, self.data, self.limit):
            measured = measure(answered, official=not changes)
            figures[measured.task] = measured.value
            figures |= {MORE[f.name]: f.value for f in measured.further if f.name in MORE}
        return figures


def ablated(checkpoint: Checkpoint, changes: Mapping[str, Any]) -> Checkpoint:
    """Return a checkpoint with the same weights and other CNP settings.

    The paper does this, too: its POS accuracies, which no ablation affects, are identical in all rows.
    """
    network = checkpoint.config.network
    changed = replace(network, cnp=replace(network.cnp, **changes))
    built = OmniNet(changed)
    built.load_state_dict(checkpoint.network.state_dict())
    return replace(checkpoint, config=replace(checkpoint.config, network=changed), network=built.eval())
