"""Training states on disk, for resuming a run: written atomically, the last few kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from omninet.training.data import DataError
from omninet.training.runtime.schedule import spread
from omninet.training.runtime.shared import GlobalModel
from omninet.training.runtime.stop_and_go import Controller

FORMAT = 1


@dataclass
class Progress:
    """Progress of a run; random numbers and batches are derived from these counts.

    Attributes:
        drawn: task -> steps that each of its workers has taken.
        left_out: task -> steps that each of its workers has left out, because the task was stopped.
        skipped: task -> samples that could not be read.
        seconds: training time, summed over all calls.
        best: highest value so far of the metric that selects the best checkpoint.
        ranks: number of synchronous processes.
        job: torchrun's run id, or empty.
        controllers: task -> its controller, if the scheduler is stop-and-go.
        resets: times that the controllers have been reset.
    """

    drawn: dict[str, list[int]]
    skipped: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    best: float | None = None
    ranks: int = 1
    job: str = ""
    left_out: dict[str, list[int]] = field(default_factory=dict)
    controllers: dict[str, Controller] = field(default_factory=dict)
    resets: int = 0

    def __post_init__(self) -> None:
        # States of earlier versions do not have this count.
        self.left_out = self.left_out or {task: [0] * len(workers) for task, workers in self.drawn.items()}

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> Progress:
        """Return the progress whose fields, as nested dictionaries, are ``values``."""
        controllers = {task: Controller(**fields) for task, fields in values.get("controllers", {}).items()}
        return cls(**{**values, "controllers": controllers})

    @property
    def step(self) -> int:
        """Return the number of steps that are done: updates of the global model, and steps that were left out."""
        return self.updates + sum(map(sum, self.left_out.values()))

    @property
    def updates(self) -> int:
        """Return the total number of updates of the global model."""
        return sum(map(sum, self.drawn.values()))

    def of(self, task: str) -> int:
        """Return the number of steps that a task has taken."""
        return sum(self.drawn[task])

    def turns(self, task: str) -> int:
        """Return the number of steps of a task, taken or left out."""
        return self.of(task) + sum(self.left_out[task])

    def redistribute(self, task: str, workers: int) -> None:
        """Divide the steps of a task, taken and left out, among another number of workers."""
        turns, taken = spread(self.turns(task), workers), spread(self.of(task), workers)
        self.drawn[task], self.left_out[task] = taken, [n - m for n, m in zip(turns, taken, strict=True)]


@dataclass
class RunStates:
    """The saved states of a run, ``states/<step>.pt`` in its folder.

    Attributes:
        keep: number of states to keep.
    """

    folder: Path
    keep: int = 3
    _name: str = field(default="states", repr=False)

    def save(self, model: GlobalModel, progress: Progress) -> Path:
        """Write a state, then delete the oldest; a kill at any moment leaves only complete files."""
        home = self.folder / self._name
        home.mkdir(parents=True, exist_ok=True)
        for unfinished in home.glob("*.part"):
            unfinished.unlink()
        target = home / f"{progress.step:09d}.pt"
        part = target.with_suffix(".part")
        with part.open("wb") as file:
            torch.save({"format": FORMAT, "model": model.state(), "progress": asdict(progress)}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        for old in self.all()[: -self.keep]:
            old.unlink()
        return target

    def all(self) -> list[Path]:
        """Return the files of all states, oldest first."""
        return sorted((self.folder / self._name).glob("*.pt"))

    def newest(self) -> Path:
        """Return the file of the newest state.

        Raises:
            DataError: there is no state.
        """
        if not (found := self.all()):
            raise DataError(f"{self.folder / self._name} holds no state: there is no run to resume")
        return found[-1]

    def progress(self) -> Progress:
        """Read the progress of the newest state.

        Raises:
            DataError: there is no state, or its format version is not supported.
        """
        return Progress.of_values(self._read(mmap=True)["progress"])

    def _read(self, mmap: bool = False) -> dict[str, Any]:
        newest = self.newest()
        state: dict[str, Any] = torch.load(newest, weights_only=True, mmap=mmap)
        if state.get("format") != FORMAT:
            raise DataError(f"{newest} has format {state.get('format')!r}; this version reads {FORMAT}")
        return state

    def restore(self, model: GlobalModel, jobs: dict[str, int]) -> Progress:
        """Load the newest state into ``model`` and return its progress.

        Args:
            jobs: task -> its current number of workers; if that has changed, the task's steps are redistributed.

        Raises:
            DataError: there is no state, or it belongs to another network or other tasks.
        """
        newest, state = self.newest(), self._read()
        try:
            model.restore(state["model"])
        except ValueError as error:
            raise DataError(f"{newest} was saved for another network: {error}") from error
        progress = Progress.of_values(state["progress"])
        if set(progress.drawn) != set(jobs):
            raise DataError(f"{newest} has the tasks {', '.join(progress.drawn)}, the run {', '.join(jobs)}")
        for task, workers in jobs.items():
            if len(progress.drawn[task]) != workers:
                progress.redistribute(task, workers)
        return progress
