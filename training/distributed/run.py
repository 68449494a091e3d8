"""A run of several ranks: all take its steps, the first one alone writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from omninet.training.distributed.models import Replicated, Sharded, Trained
from omninet.training.distributed.ranks import Ranks, named
from omninet.training.distributed.shards import shard
from omninet.training.pipeline.batches import Batch
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.loop import take_steps
from omninet.training.runtime.run import Run
from omninet.training.runtime.states import Progress
from omninet.training.runtime.trainer import Trainer
from omninet.training.setup import Setup
from omninet.training.watch import Watcher
from omninet.training.watch.everyone import Everyone


class RankedRun(Run):
    """A Run that every rank has; what gathers or decides must be called on all of them.

    Attributes:
        trained: what they train; ``model`` is brought up to date from it before it is saved or measured.
    """

    def __init__(self, setup: Setup, folder: Path, how: str, resume: bool, ranks: Ranks) -> None:
        self.ranks = self.peers = ranks
        sharded = setup.config.sharded
        home = torch.device("cpu") if sharded else ranks.device
        super().__init__(setup, folder, how, resume, [home, ranks.device])
        self.trained: Trained = (Sharded if sharded else Replicated)(setup.network, self.model, ranks)
        if self.progress.step:
            self.watcher.message(self._where())

    def _where(self) -> str:
        """How a run goes on, for people."""
        text = f"goes on from step {self.progress.step} on {named(self.ranks.count)}"
        if self.progress.ranks != self.ranks.count:
            text += f", before it was on {named(self.progress.ranks)}"
        restarts = self.ranks.launch.restarts
        return text + (f"; torchrun has started all ranks again, time {restarts}" if restarts else "")

    def _begin(self, resume: bool) -> Progress:
        """As any run's; what the first rank finds in the folder, the others are told."""
        begin = super()._begin
        progress = self.ranks.told(lambda: begin(resume or self._is_restart()))
        self.ranks.copy_from_first(self.model.values, self.model.first, self.model.second, self.model.updates)
        return progress

    def _is_restart(self) -> bool:
        """Whether the run in the folder is of this job, started anew by torchrun."""
        # Not by the count of restarts: those of a job that was refused a folder begin with another's run in it, and
        # where machines join or leave, torchrun starts anew and does not count it.
        job = self.ranks.launch.job
        return bool(self.states.all()) and job != "" and self.states.progress().job == job

    def _watch(self) -> Watcher:
        return super()._watch() if self.ranks.rank == 0 else Everyone({})

    def save(self) -> None:
        """Write the state."""
        self.trained.gather()
        self.progress.job = self.ranks.launch.job
        if self.ranks.rank == 0:
            super().save()
        self.put_off_saving()

    def evaluate(self) -> None:
        """Measure the global model, on the first rank; the others go on when it does."""
        if self.ranks.rank == 0:
            super().evaluate()
        self._evaluated = self.progress.step

    def finish(self) -> Path:
        """The checkpoint of a run that is done, and whose last state is saved."""
        return super().finish() if self.ranks.rank == 0 else self.folder / "checkpoint"


def run_distributed(run: RankedRun, stop: Interrupt) -> bool:
    """Train to the last step of the configuration, or until ``stop`` is set anywhere; whether all steps are done.

    Raises:
        TrainingError: gradients that stay infinite, or too many samples that cannot be read; the state has been saved.
    """
    setup, config, progress, ranks = run.setup, run.setup.config, run.progress, run.ranks
    objective, adam = run.trained.objective, run.trained.adam
    trainer = Trainer(config, objective, adam, ranks.device, lambda: progress.step, run.began, peers=ranks)

    def batches(task: str, start: int) -> Iterator[Batch]:
        part = (ranks.rank, ranks.count)
        return shard(setup.examples[task], config.tasks[task].batch, setup.encoder, config.seed, start, *part)

    return take_steps(run, trainer, stop, batches)
