"""How far a run is, on disk: written whole or not at all, the last few kept."""

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
    """How far a run is; random numbers and batches follow from these counts.

    Attributes:
        drawn: task -> steps that each of its workers has finished.
        skipped: task -> samples that could not be read.
        seconds: of training, over all calls.
        best: the highest value so far of the measure that chooses the best checkpoint.
        ranks: processes that took each step together.
        job: torchrun's name for the job, if there was one.
    """

    drawn: dict[str, list[int]]
    skipped: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    best: float | None = None
    ranks: int = 1
    job: str = ""

    @property
    def step(self) -> int:
        """Updates of the global model in all."""
        return sum(map(sum, self.drawn.values()))

    def of(self, task: str) -> int:
        """Steps of a task."""
        return sum(self.drawn[task])


@dataclass
class States:
    """The states of a run, ``states/<step>.pt`` in its folder.

    Attributes:
        keep: how many stay.
    """

    folder: Path
    keep: int = 3
    _name: str = field(default="states", repr=False)

    def save(self, model: GlobalModel, progress: Progress) -> Path:
        """Write a state beside the others, then drop the oldest; killed at any moment, it leaves whole ones."""
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
        """From the oldest to the newest."""
        return sorted((self.folder / self._name).glob("*.pt"))

    def newest(self) -> Path:
        """What a resumed run goes on from.

        Raises:
            DataError: there is none.
        """
        if not (found := self.all()):
            raise DataError(f"{self.folder / self._name} holds no state: there is no run to resume")
        return found[-1]

    def progress(self) -> Progress:
        """How far the newest is.

        Raises:
            DataError: there is none, or it is of another version.
        """
        return Progress(**self._read(mmap=True)["progress"])

    def _read(self, mmap: bool = False) -> dict[str, Any]:
        newest = self.newest()
        state: dict[str, Any] = torch.load(newest, weights_only=True, mmap=mmap)
        if state.get("format") != FORMAT:
            raise DataError(f"{newest} has format {state.get('format')!r}; this version reads {FORMAT}")
        return state

    def restore(self, model: GlobalModel, jobs: dict[str, int]) -> Progress:
        """Put the newest state into ``model``.

        Args:
            jobs: task -> its workers now; where they were others, its steps are shared out anew.

        Raises:
            DataError: there is none, or it is of another network or other tasks.
        """
        newest, state = self.newest(), self._read()
        try:
            model.restore(state["model"])
        except ValueError as error:
            raise DataError(f"{newest} is of another network: {error}") from error
        progress = Progress(**state["progress"])
        if set(progress.drawn) != set(jobs):
            raise DataError(f"{newest} has the tasks {', '.join(progress.drawn)}, the run {', '.join(jobs)}")
        progress.drawn = {
            task: progress.drawn[task] if len(progress.drawn[task]) == n else spread(progress.of(task), n)
            for task, n in jobs.items()
        }
        return progress
