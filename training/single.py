"""One process, tasks interleaved by seed: the deterministic reference of all runners."""

from __future__ import annotations

from contextlib import ExitStack

from model.errors import OmniNetError
from training.batches import stream
from training.interrupt import Interrupt
from training.loader import Loader
from training.run import Run
from training.schedule import draw_task
from training.shared import SharedAdam
from training.trainer import Trainer
from training.watch import StepRecord


def run_single(run: Run, stop: Interrupt) -> bool:
    """Train to the last step of the configuration, or until ``stop`` is set; whether all steps are done.

    A run that was stopped and resumed goes through the same batches and the same random numbers as
    one that was not.

    Raises:
        TrainingError: gradients that stay infinite, or too many samples that cannot be read; the state has been saved.
    """
    setup, config, progress = run.setup, run.setup.config, run.progress
    device = run.model.values.device
    adam = SharedAdam(run.model, worker=0)
    trainer = Trainer(config, setup.network.to(device), adam, device, lambda: progress.step, run.began)
    trainer.skipped.update(progress.skipped)
    with ExitStack() as open_loaders:
        loaders = {task: open_loaders.enter_context(_loader(run, task)) for task in config.tasks}
        try:
            while progress.step < config.steps and not stop.is_set:
                task = draw_task(config, progress.step + 1)
                record = trainer.step(task, loaders[task], progress.of(task))
                progress.drawn[task][0] += 1
                progress.skipped = dict(trainer.skipped)
                _report(run, record)
        except OmniNetError:
            run.save()
            raise
    run.save()
    return progress.step >= config.steps


def _report(run: Run, record: StepRecord) -> None:
    """Tell of a step, and do what is due after it."""
    run.watcher.step(record)
    for text in run.setup.encoder.news():
        run.watcher.message(text)
    run.check_skipped()
    if run.save_is_due:
        run.save()
    if run.evaluation_is_due:
        run.evaluate()


def _loader(run: Run, task: str) -> Loader:
    setup, config = run.setup, run.setup.config.tasks[task]
    start = run.progress.of(task) * config.accumulate
    return Loader(stream(setup.examples[task], config.batch, setup.encoder, setup.config.seed, start))
