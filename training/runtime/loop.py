"""Tasks interleaved by seed, one step after the other: by one process, or by several that take each step together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from omninet.model.errors import OmniNetError
from omninet.training.pipeline.batches import Batch
from omninet.training.pipeline.loader import Loader
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.schedule import draw_task
from omninet.training.runtime.trainer import Trainer, TrainingError
from omninet.training.watch import StepRecord

LOG = logging.getLogger(__name__)
Stream = Callable[[str, int], Iterator[Batch]]  # of a task, from a number of batches on


def take_steps(run: Run, trainer: Trainer, stop: Interrupt, stream: Stream) -> bool:
    """Train to the last step of the configuration, or until ``stop`` is set; whether all steps are done.

    A run that was stopped and resumed goes through the same batches and the same random numbers as
    one that was not.

    Raises:
        TrainingError: gradients that stay infinite, or too many samples that cannot be read; the state has been saved.
    """
    config, progress = run.setup.config, run.progress
    trainer.skipped.update(progress.skipped)
    with ExitStack() as open_loaders:
        loaders = {
            name: open_loaders.enter_context(Loader(stream(name, progress.of(name) * task.accumulate)))
            for name, task in config.tasks.items()
        }
        try:
            while progress.step < config.steps and _may_go_on(run, stop):
                task = draw_task(config, progress.step + 1)
                record = trainer.step(task, loaders[task], progress.of(task))
                progress.drawn[task][0] += 1
                progress.skipped = dict(trainer.skipped)
                _report(run, record)
        except OmniNetError as error:
            # What only one of several meets ends all of them: there is nobody to save with.
            if isinstance(error, TrainingError) or run.peers.count == 1:
                run.save()
            raise
    run.save()
    return progress.step >= config.steps


def _may_go_on(run: Run, stop: Interrupt) -> bool:
    """Save if that is due; whether nobody wants to stop. Clocks and signals differ, so the peers decide together."""
    stopping, saving = run.peers.any(stop.is_set, run.save_is_due)
    if saving and not stopping:
        run.save()
    return not stopping


def _report(run: Run, record: StepRecord) -> None:
    """Tell of a step, and do what is due after it."""
    run.watcher.step(record)
    for text in run.setup.encoder.news():
        (run.watcher.message if run.peers.rank == 0 else LOG.warning)(text)
    run.check_skipped()
    if run.evaluation_is_due:
        run.save()  # whatever happens in the evaluation, which also heeds no signal, loses no steps
        run.evaluate()
