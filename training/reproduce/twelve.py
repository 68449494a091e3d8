"""The study of 12-in-1: many tasks in one network, compared with a network for each task, on any data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from omninet.training.config import RunConfig
from omninet.training.reproduce.networks import SHORT, NetworkStudy
from omninet.training.reproduce.parts import of_tasks
from omninet.training.table import Figures, Table

GROUPS = {
    "questions": ("vqa", "gqa", "genome_qa"),
    "retrieval": ("embed", "match"),
    "grounding": ("ground",),
    "verification": ("entailment", "truth", "pair"),
}
COLUMNS = {
    "vqa": "questions acc.",
    "embed": "retrieval R@10",
    "match": "match acc.",
    "ground": "grounding acc.",
    "entailment": "entailment acc.",
    "truth": "truth acc.",
}
PAPER: dict[str, list[Figures]] = {
    "paper, each task alone": [{"parameters": 3000}],
    "paper, all together": [{"parameters": 270, "difference": 2.05}],
}
NOTES = (
    f"Rows of several seeds: mean (lowest to highest). Rows with {SHORT}: one seed. Mean difference: to each task "
    "alone with as many steps and the same seed, averaged over the tasks of the row; for the fine-tuned networks, to "
    "each task alone with all steps. Networks of several tasks are trained with stop-and-go unless the row says "
    "otherwise. Paper: 12-in-1 (Lu et al. 2019, arXiv:1912.02315), abstract, on its own twelve data sets."
)


class Twelve(NetworkStudy):
    """Trains and evaluates subsets of the tasks of a configuration."""

    def table(self) -> Table:
        """Return the table; networks that are already trained and measured are not trained and measured again."""
        seeds = self.every_seed
        every, first = tuple(self.config.tasks), seeds[0]
        alone = [self._alone(seed) for seed in seeds]
        together = [self._measured(every, seed) for seed in seeds]
        rows = PAPER | {
            "each task alone": alone,
            "all together": [_compared(*pair) for pair in zip(together, alone, strict=True)],
        }
        short = self._alone(first, short=True)
        rows[f"each task alone, {SHORT}"] = [short]
        for group, members in GROUPS.items():
            if tasks := tuple(task for task in every if task in members):
                found = self._measured(tasks, first, short=True)
                rows[f"{group} alone, {SHORT}"] = [_compared(found, short)]
        for name, stops in (("all together", True), ("all together without stop-and-go", False)):
            found = self._measured(every, first, short=True, stops=stops)
            rows[f"{name}, {SHORT}"] = [_compared(found, short)]
        rows[f"each task fine-tuned from all together, {SHORT}"] = [_compared(self._tuned(first), alone[0])]
        columns = {task: COLUMNS.get(task, task) for task in every}
        columns |= {"difference": "mean difference", "parameters": "parameters, millions"}
        return Table(columns, rows, fmean, NOTES)

    def _alone(self, seed: int, short: bool = False) -> Figures:
        """Evaluate one network per task, as one row; their parameter counts are added."""
        return _joined([self._measured((task,), seed, short) for task in self.config.tasks])

    def _tuned(self, seed: int) -> Figures:
        """Evaluate, for each task, the network of all tasks after some more steps of this task, as one row."""
        start = self.networks.out / self._name(tuple(self.config.tasks), seed) / "checkpoint"
        return _joined([self._measured((task,), seed, short=True, start=start) for task in self.config.tasks])

    def _measured(
        self, tasks: tuple[str, ...], seed: int, short: bool = False, stops: bool = True, start: Path | None = None
    ) -> dict[str, float]:
        """Train and measure a network unless that is done; return the metric of each task, and the size.

        Args:
            short: whether it has one of PART of the steps.
            stops: whether several tasks are trained with stop-and-go, not with fixed shares.
            start: checkpoint to start from.
        """
        stops = stops and len(tasks) > 1
        name = self._name(tasks, seed, short, len(tasks) > 1 and not stops, start is not None)
        found = self.networks.measured(name, self._config(tasks, seed, short, stops), start)
        return {column: found[column] for column in (*tasks, "parameters")}

    def _name(
        self, tasks: tuple[str, ...], seed: int, short: bool = False, fixed: bool = False, tuned: bool = False
    ) -> str:
        """Return the name of a network, which is the same in all rows that show it."""
        name = "all" if len(tasks) == len(self.config.tasks) else "-".join(tasks)
        marks = {"short": short, "fixed": fixed, "tuned": tuned}
        return "-".join([name, f"seed{seed}", *(mark for mark, is_set in marks.items() if is_set)])

    def _config(self, tasks: Sequence[str], seed: int, short: bool, stops: bool) -> RunConfig:
        scheduler = "stop_and_go" if stops else "fixed_shares"
        return of_tasks(self.changed(short, seed=seed, scheduler=scheduler), tasks)


def _joined(parts: Sequence[Mapping[str, float]]) -> Figures:
    """Return the figures of several networks as those of one row."""
    figures = {name: value for part in parts for name, value in part.items()}
    return figures | {"parameters": sum(part["parameters"] for part in parts)}


def _compared(figures: Figures, alone: Figures) -> Figures:
    """Return figures with the mean difference of the tasks to training them alone."""
    changes = [value - alone[task] for task, value in figures.items() if task != "parameters"]
    return {**figures, "difference": fmean(changes)}
