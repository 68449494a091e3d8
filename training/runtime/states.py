"""Training states on disk, for resuming a run: written atomically, the last few kept."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from omninet.training.data import DataError
from omninet.training.runtime.schedule import spread
from omninet.training.runtime.shared import GlobalModel

FORMAT = 1


@dataclass
class Progress:
    """Progress of a run; random numbers and batches are derived from these counts.

    Attributes:
        drawn: task -> steps that each of its workers has finished.
        skipped: task -> samples that could not be read.
        seconds: training time, summed over all calls.
        best: highest value so far of the metric that selects the best checkpoint.
        ranks: number of synchronous processes.
        job: torchrun's run id, or empty.
    """

    drawn: dict[str, list[int]]
    skipped: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    best: float | None = None
    ranks: int = 1
    job: str = ""

    @property
    def step(self) -> int:
        """Return the total number of updates of the global model."""
        return sum(map(sum, self.drawn.values()))

    def of(self, task: str) -> int:
        """Return the number of steps of a task."""
        return sum(self.drawn[task])


@dataclass
class States:
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
        return Progress(**self._read(mmap=True)["progress"])

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
        progress = Progress(**state["progress"])
        if set(progress.drawn) != set(jobs):
            raise DataError(f"{newest} has the tasks {', '.join(progress.drawn)}, the run {', '.join(jobs)}")
        progress.drawn = {
            task: progress.drawn[task] if len(progress.drawn[task]) == n else spread(progress.of(task), n)
            for task, n in jobs.items()
        }
        return progress
