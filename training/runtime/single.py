"""One process, tasks interleaved by seed: the deterministic reference of all runners."""

from __future__ import annotations

from collections.abc import Iterator

from omninet.training.pipeline.batches import Batch
from omninet.training.pipeline.streams import stream
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.loop import take_steps
from omninet.training.runtime.run import Run
from omninet.training.runtime.shared import SharedAdam
from omninet.training.runtime.step import Objective
from omninet.training.runtime.trainer import Trainer


def run_single(run: Run, stop: Interrupt) -> bool:
    """Train to the last step of the configuration, or until ``stop`` is set; whether all steps are done.

    Raises:
        TrainingError: gradients that stay infinite, or too many samples that cannot be read; the state has been saved.
    """
    setup, config, progress = run.setup, run.setup.config, run.progress
    device = run.model.values.device
    objective = Objective(setup.network.to(device))
    trainer = Trainer(config, objective, SharedAdam(run.model, 0), device, lambda: progress.step, run.began)

    def batches(task: str, start: int) -> Iterator[Batch]:
        return stream(setup.examples[task], config.tasks[task].batch, setup.encoder, config.seed, start)

    return take_steps(run, trainer, stop, batches)
