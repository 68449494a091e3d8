"""A training run: the global model, its progress, and when it is saved and evaluated."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

from omninet.model import checkpoint as checkpoints
from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import ConfigError, OmniNetError
from omninet.model.outputs import Answer, Output
from omninet.model.predictor import Predictor
from omninet.training.backbone import backbone_files, check_kept, keep_backbone
from omninet.training.config import CONFIG
from omninet.training.data import DataError, Example
from omninet.training.evaluate import answer_data
from omninet.training.runtime.card import write_card
from omninet.training.runtime.resuming import changes
from omninet.training.runtime.shared import GlobalModel
from omninet.training.runtime.states import Progress, RunStates
from omninet.training.runtime.step import ALONE, Peers
from omninet.training.runtime.stop_and_go import Scheduler
from omninet.training.runtime.trainer import TrainingError
from omninet.training.runtime.validation import check_dev_data
from omninet.training.setup import Setup
from omninet.training.watch import EvaluationRecord, Sample, Watcher, watchers

SHOWN = 3  # sample predictions per task in an evaluation
FEW = 1000  # samples; with fewer, the share of unreadable ones is not meaningful


class Run:
    """State and operations that all runners share.

    Attributes:
        model: the global model; the parameters of ``setup.network`` are views of it.
        how: runner and machine, for the model card.
        devices: of the global model, then of the workers.
        peers: the processes that take each step together.
        began: start time of the run less all interruptions, in seconds since the epoch.
        scheduler: decides which steps are taken.
        changes: settings that differ from those before the run was resumed, as text.
    """

    peers: Peers = ALONE

    def __init__(
        self,
        setup: Setup,
        folder: Path,
        how: str,
        resume: bool = False,
        devices: Sequence[torch.device] = (torch.device("cpu"),),
    ) -> None:
        self.setup, self.folder, self.how, self.devices = setup, folder, how, devices
        self.jobs = {task: run.jobs for task, run in setup.config.tasks.items()}
        self.model = GlobalModel(setup.network, sum(self.jobs.values()), devices[0])
        self.states = RunStates(folder, setup.config.checkpoints.keep)
        self.changes: list[str] = []
        self.progress = self._begin(resume)
        examples = {task: len(group) for task, group in setup.examples.items()}
        self.scheduler = Scheduler(setup.config, examples, self.progress)
        self.began = time.time() - self.progress.seconds
        self.watcher = self._watch()
        if self.changes:
            self.watcher.message(f"resumed with {', '.join(self.changes)}")
        self._saved = time.monotonic()
        self._evaluated = self.progress.step

    def _begin(self, resume: bool) -> Progress:
        """Load or initialise the progress, and prepare the folder.

        Raises:
            DataError: the folder already holds a run and ``resume`` is false, the run cannot be resumed, or a task
                has no dev example although the scheduler validates it.
        """
        check_dev_data(self.setup.config, self.setup.data)
        progress = Progress({task: [0] * n for task, n in self.jobs.items()})
        if resume:
            self.changes = changes(self.folder, self.setup.config, self.states.progress())
            progress = self.states.restore(self.model, self.jobs)
            check_kept(self.setup.network, self.folder)
        elif found := self.states.all():
            step = int(found[-1].stem)
            raise DataError(
                f"{self.folder} already holds a run, at step {step}: continue it with --resume, or choose another --out"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.setup.config.save(self.folder / CONFIG)
        keep_backbone(self.setup.network, self.folder)
        return progress

    def _watch(self) -> Watcher:
        done = {task: self.progress.of(task) for task in self.jobs}
        cuda = [device for device in dict.fromkeys(self.devices) if device.type == "cuda"]
        return watchers(self.folder, self.setup.config.steps, self.progress.step, done, cuda)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.watcher.close()

    @property
    def save_is_due(self) -> bool:
        """Return whether the time between two saves has passed."""
        return time.monotonic() - self._saved > self.setup.config.checkpoints.every_s

    @property
    def evaluation_is_due(self) -> bool:
        """Return whether the number of steps between two evaluations has passed."""
        every = self.setup.config.evaluation.every
        return every is not None and self.progress.step - self._evaluated >= every

    def check_skipped(self) -> None:
        """Check that enough samples can be read.

        Raises:
            TrainingError: the share of unreadable samples is higher than ``max_skipped``.
        """
        config, progress = self.setup.config, self.progress
        drawn = sum(progress.of(task) * run.batch * run.accumulate for task, run in config.tasks.items())
        skipped = sum(progress.skipped.values())
        if skipped > config.max_skipped * max(drawn, FEW):
            raise TrainingError(
                f"{skipped} of {drawn} samples could not be read, "
                f"more than the share {config.max_skipped} that max_skipped allows"
            )

    def save(self) -> None:
        """Write the state; no worker may be updating the model."""
        self.progress.seconds = time.time() - self.began
        self.progress.ranks = self.peers.count
        self.states.save(self.model, self.progress)
        self._saved = time.monotonic()

    def postpone_save(self) -> None:
        """Restart the timer of the periodic save without saving."""
        self._saved = time.monotonic()

    def evaluate(self) -> None:
        """Evaluate the current global model on dev data, and save it if it is the best so far.

        Errors in the dev data are reported as a message; training continues.
        """
        try:
            self._evaluate()
        except OmniNetError as error:
            self.watcher.message(f"evaluation failed: {error}")

    def _evaluate(self) -> None:
        config, step = self.setup.config, self.progress.step
        self._evaluated = step
        snapshot = self.setup.snapshot(write_card(self.setup, self.progress, self.how))
        measures: dict[str, float] = {}
        samples: list[Sample] = []
        predictor = Predictor(snapshot, device="cpu", precision="float32")
        for answered in answer_data(predictor, config, self.setup.data, config.evaluation.limit, bar=False):
            measures |= {f"{answered.key}/{name}": value for name, value in answered.metrics().items()}
            first = zip(answered.examples[:SHOWN], answered.answers, strict=False)
            samples += [_sample(answered.output, *pair) for pair in first]
        self.watcher.evaluation(EvaluationRecord(step, time.time() - self.began, measures, tuple(samples)))
        self._keep_best(snapshot, measures)

    def _keep_best(self, snapshot: Checkpoint, measures: Mapping[str, float]) -> None:
        best = self.setup.config.evaluation.best
        if best is None:
            return
        if best not in measures:
            raise ConfigError(f"evaluation.best {best!r} is not measured; known measures are {', '.join(measures)}")
        if self.progress.best is None or measures[best] > self.progress.best:
            self.progress.best = measures[best]
            self._write(snapshot, self.folder / "best")

    def finish(self) -> Path:
        """Write the final checkpoint and return its folder."""
        folder = self.folder / "checkpoint"
        self._write(self.setup.checkpoint(write_card(self.setup, self.progress, self.how)), folder)
        return folder

    def _write(self, checkpoint: Checkpoint, folder: Path) -> None:
        checkpoints.save(checkpoint, folder, torch.float16, backbone_files(checkpoint.network))


def _sample(output: Output, example: Example, answer: Answer) -> Sample:
    truth = " ".join(example.tags) or example.answer or str(example.truth)
    media = next(iter(example.media), None)
    return Sample(example.task, media, example.text or None, truth, output.line(answer))
