"""Single-process training with tasks interleaved by seed: deterministic, the reference for the other runners."""

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
    """Train until the configured number of steps or until ``stop`` is set; return True if all steps are done.

    Raises:
        TrainingError: gradients stay non-finite, or too many samples are unreadable. The state has been saved.
    """
    setup, config, progress = run.setup, run.setup.config, run.progress
    device = run.model.values.device
    objective = Objective(setup.network.to(device))
    trainer = Trainer(
        config,
        objective,
        SharedAdam(run.model, 0),
        device,
        lambda: progress.updates,
        run.began,
        left_out=lambda: progress.step - progress.updates,
    )

    def batches(task: str, start: int) -> Iterator[Batch]:
        return stream(setup.examples[task], config.tasks[task].batch, setup.encoder, config.seed, start)

    return take_steps(run, trainer, stop, batches)
