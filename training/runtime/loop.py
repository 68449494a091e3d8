"""Training loop that interleaves tasks by seed, for one process or for several synchronous processes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from omninet.model.errors import OmniNetError
from omninet.training.pipeline.batches import Batch
from omninet.training.pipeline.loader import Loader
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.schedule import draw_task
from omninet.training.runtime.trainer import Trainer, TrainingError
from omninet.training.runtime.validation import apply_score, report_stopped, reset_controllers, score_of
from omninet.training.watch import StepRecord

LOG = logging.getLogger(__name__)
Stream = Callable[[str, int], Iterator[Batch]]  # (task, batches to skip) -> batches


def take_steps(run: Run, trainer: Trainer, stop: Interrupt, stream: Stream) -> bool:
    """Train until the configured number of steps or until ``stop`` is set; return True if all steps are done.

    A run that was stopped and resumed uses the same batches and random numbers as an uninterrupted run.

    Raises:
        TrainingError: gradients stay non-finite, or too many samples are unreadable. The state has been saved.
    """
    config, progress = run.setup.config, run.progress
    trainer.skipped.update(progress.skipped)
    report_stopped(run)
    with ExitStack() as open_loaders:
        loaders = {
            name: open_loaders.enter_context(Loader(stream(name, progress.of(name) * task.accumulate)))
            for name, task in config.tasks.items()
        }
        try:
            while progress.step < config.steps and _should_continue(run, stop):
                _validate(run)
                task = draw_task(config, progress.step + 1)
                if run.scheduler.leaves_out(task):
                    progress.left_out[task][0] += 1
                    continue
                record = trainer.step(task, loaders[task], progress.of(task))
                progress.drawn[task][0] += 1
                progress.skipped = dict(trainer.skipped)
                _report(run, record)
        except OmniNetError as error:
            # An error on one rank only ends the run without a save, since saving needs all ranks.
            if isinstance(error, TrainingError) or run.peers.count == 1:
                run.save()
            raise
    run.save()
    return progress.step >= config.steps


def _should_continue(run: Run, stop: Interrupt) -> bool:
    """Save if due; return False if any peer was asked to stop.

    Clocks and signals differ between processes, so the peers decide together.
    """
    stopping, saving = run.peers.any(stop.is_set, run.save_is_due)
    if saving and not stopping:
        run.save()
    return not stopping


def _validate(run: Run) -> None:
    """Reset the controllers of stop-and-go, and validate tasks, where that is due; all peers get the same scores.

    This comes before a step and not after one, so that a state that was saved in between is resumed with it.
    """
    reset_controllers(run)
    due = run.scheduler.due()
    if due:
        run.save()  # gathers a sharded model, and a failing validation, or a signal during it, must not lose steps
    for task in due:
        score = run.peers.from_first(partial(score_of, run, task))
        apply_score(run, task, score, run.progress.turns(task))


def _report(run: Run, record: StepRecord) -> None:
    """Pass the record of a step and new warnings to the watchers, then evaluate if due."""
    run.watcher.step(record)
    for text in run.setup.encoder.new_warnings():
        (run.watcher.message if run.peers.rank == 0 else LOG.warning)(text)
    run.check_skipped()
    if run.evaluation_is_due:
        run.save()  # a failing evaluation, or a signal during it, must not lose steps
        run.evaluate()
