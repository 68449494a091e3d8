"""A distributed run: all ranks take its steps, only rank 0 writes files."""

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
from omninet.training.watch.multi_watcher import MultiWatcher


class RankedRun(Run):
    """A Run on every rank; methods that gather or decide are collective calls.

    Attributes:
        trained: wrapped model and optimiser; ``model`` is updated from it before it is saved or evaluated.
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
        """Return from which step and on how many ranks a run continues, as text."""
        text = f"continues from step {self.progress.step} on {named(self.ranks.count)}"
        if self.progress.ranks != self.ranks.count:
            text += f", previously on {named(self.progress.ranks)}"
        restarts = self.ranks.launch.restarts
        return text + (f"; torchrun has restarted all ranks, restart {restarts}" if restarts else "")

    def _begin(self, resume: bool) -> Progress:
        """Load the progress on rank 0 and broadcast it with the model. See Run._begin."""
        begin = super()._begin
        progress = self.ranks.from_first(lambda: begin(resume or self._is_restart()))
        self.ranks.copy_from_first(self.model.values, self.model.first, self.model.second, self.model.updates)
        return progress

    def _is_restart(self) -> bool:
        """Return whether the run in the folder belongs to this job, restarted by torchrun."""
        # TORCHELASTIC_RESTART_COUNT cannot tell: a job whose folder was refused would restart into another job's run,
        # and torchrun does not count restarts that follow from machines joining or leaving.
        job = self.ranks.launch.job
        return bool(self.states.all()) and job != "" and self.states.progress().job == job

    def _watch(self) -> Watcher:
        return super()._watch() if self.ranks.rank == 0 else MultiWatcher({})

    def save(self) -> None:
        """Gather the model on all ranks, and write the state on rank 0."""
        self.trained.gather()
        self.progress.job = self.ranks.launch.job
        if self.ranks.rank == 0:
            super().save()
        self.postpone_save()

    def evaluate(self) -> None:
        """Evaluate the global model on rank 0; the other ranks wait at the next collective call."""
        if self.ranks.rank == 0:
            super().evaluate()
        self._evaluated = self.progress.step

    def finish(self) -> Path:
        """Write the final checkpoint on rank 0; return its folder. The last state must have been saved."""
        return super().finish() if self.ranks.rank == 0 else self.folder / "checkpoint"


def run_distributed(run: RankedRun, stop: Interrupt) -> bool:
    """Train until the configured number of steps or until ``stop`` is set on any rank; return True if all are done.

    Raises:
        TrainingError: gradients stay non-finite, or too many samples are unreadable. The state has been saved.
    """
    setup, config, progress, ranks = run.setup, run.setup.config, run.progress, run.ranks
    objective, adam = run.trained.objective, run.trained.adam
    trainer = Trainer(
        config,
        objective,
        adam,
        ranks.device,
        lambda: progress.updates,
        run.began,
        peers=ranks,
        left_out=lambda: progress.step - progress.updates,
    )

    def batches(task: str, start: int) -> Iterator[Batch]:
        part = (ranks.rank, ranks.count)
        return shard(setup.examples[task], config.tasks[task].batch, setup.encoder, config.seed, start, *part)

    return take_steps(run, trainer, stop, batches)
