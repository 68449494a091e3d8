"""The training step that all runners share: read batches, compute gradients, update the global model."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from omninet.model.errors import OmniNetError
from omninet.model.fast.devices import multiplies_bfloat16
from omninet.training.config import RunConfig
from omninet.training.pipeline.batches import Batch
from omninet.training.pipeline.loader import Loader
from omninet.training.runtime.schedule import rate_of
from omninet.training.runtime.step import ALONE, Peers, StepResult, compute_gradients, seed_step
from omninet.training.watch.records import StepRecord

PATIENCE = 20  # consecutive steps with a non-finite gradient before the run fails


class TrainingError(OmniNetError):
    """Training failed; the message names the task and the cause."""


class Optimiser(Protocol):
    """An optimiser of the global model, for one worker."""

    worker: int

    def step(self, gradients: Sequence[Tensor | None], rate: float) -> None:
        """Update the parameters that have a gradient, at learning rate ``rate``."""
        ...


class Trainer:
    """Takes training steps of any task; used by every runner.

    Args:
        objective: module to train; its parameters are views of the global model, or are copied from it by ``sync``.
        updates: returns the number of updates of the global model.
        began: start time of the run less all interruptions, in seconds since the epoch.
        sync: copies the parameters of the global model before each step; None if they are views of it.
        peers: the processes that take each step together.
        left_out: returns the number of steps that were left out; they count for the learning rate.

    Attributes:
        skipped: task -> samples that could not be read.
    """

    def __init__(
        self,
        config: RunConfig,
        objective: nn.Module,
        adam: Optimiser,
        device: torch.device,
        updates: Callable[[], int],
        began: float,
        sync: Callable[[], None] | None = None,
        peers: Peers = ALONE,
        left_out: Callable[[], int] = lambda: 0,
    ) -> None:
        self.config, self.objective, self.adam, self.device = config, objective.train(), adam, device
        self.updates, self.began, self.sync, self.peers, self.left_out = updates, began, sync, peers, left_out
        self.precision = precision_of(config.precision, device)
        self.trained = [p for p in objective.parameters() if p.requires_grad]
        self.skipped: Counter[str] = Counter()
        self._failures = 0

    def step(self, task: str, loader: Loader, number: int) -> StepRecord:
        """Take step ``number`` of a task, counted from 0 over all calls.

        Raises:
            TrainingError: the gradients were not finite for PATIENCE consecutive steps.
        """
        waited = loader.waited
        before, result = self._gradients(task, loader, number)
        after = self.updates()
        step = after + self.left_out() + 1
        rate = rate_of(self.config, task, step)
        self._check(task, result.finite)
        if result.finite:
            self.adam.step([p.grad for p in self.trained], rate)
        return StepRecord(
            step=step,
            task=task,
            worker=self.adam.worker,
            loss=result.loss,
            accuracy=result.accuracy,
            rate=rate,
            gradient_norm=result.gradient_norm if math.isfinite(result.gradient_norm) else -1.0,
            samples=result.samples,
            seconds=time.time() - self.began,
            waiting=loader.waited - waited,
            staleness=after - before,
            skipped=self.skipped[task],
            terms=result.terms,
            loads=result.loads,
        )

    def _gradients(self, task: str, loader: Loader, number: int) -> tuple[int, StepResult]:
        """Read batches until one has a readable sample, and compute gradients.

        Returns:
            The number of updates before the parameters were copied, and the result of the step.
        """
        while True:
            batches = [loader.next() for _ in range(self.config.tasks[task].accumulate)]
            seed_step(self.config.seed, task, number, self.peers.rank)
            before = self.updates()
            if self.sync:
                self.sync()
            there = [_to(batch, self.device) for batch in batches]
            result = compute_gradients(self.objective, there, self.config.clip, self.precision, self.peers)
            self.skipped[task] += result.skipped
            if result.samples:
                return before, result

    def _check(self, task: str, finite: bool) -> None:
        self._failures = 0 if finite else self._failures + 1
        if self._failures == PATIENCE:
            raise TrainingError(
                f"{task}: the gradient was not finite for {PATIENCE} consecutive steps; lower factor or clip"
            )


def precision_of(wanted: str, device: torch.device) -> torch.dtype:
    """Return the data type of a precision setting; ``auto`` is bfloat16 if the device supports it in hardware."""
    if wanted == "auto":
        wanted = "bfloat16" if multiplies_bfloat16(device) else "float32"
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def _to(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch

    def move(value: Tensor) -> Tensor:
        return value.pin_memory().to(device, non_blocking=True)

    inputs = tuple(
        (peripheral, domain, move(value) if isinstance(value, Tensor) else type(value)(*map(move, value)))
        for peripheral, domain, value in batch.inputs
    )
    shares = None if batch.shares is None else move(batch.shares)
    return Batch(batch.task, inputs, move(batch.targets), move(batch.mask), batch.skipped, shares)
