"""The training of a student, in parts: cut off at any minute, it goes on elsewhere from the last state."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.devices import multiplies_bfloat16
from training.distill.config import DistillConfig
from training.distill.eyes import Student, Teacher
from training.distill.optimiser import Optimiser
from training.distill.state import load_state, save_state
from training.distill.views import show
from training.interrupt import Interrupt

LOG = logging.getLogger(__name__)
SAVE_S = 120.0
LOG_STEPS = 100
CLIP = 5.0  # largest norm of a step's gradient


class Fit:
    """A distillation that is under way, from the last state of its folder on.

    Attributes:
        step: how many there have been.
    """

    def __init__(
        self, config: DistillConfig, teacher: Teacher, student: Student, folder: Path, device: torch.device
    ) -> None:
        """Raises DataError where the folder holds the state of another distillation."""
        self.config, self.folder, self.device = config, folder, device
        self.teacher = teacher.to(device)
        self.student = student.to(device)
        self.optimiser = Optimiser(self.student, config.decay)
        self.step = load_state(folder, config, self.student, self.optimiser)

    def run(self, pictures: Tensor, stop: Interrupt, minutes: float = math.inf) -> bool:
        """Train on uint8 (n, 3, side, side) until the last step, a signal or for so long; whether it is the last."""
        self.student.train()
        began = saved = time.monotonic()
        losses: list[Tensor] = []
        while self.step < self.config.steps and not stop.is_set and time.monotonic() < began + 60 * minutes:
            losses.append(self.advance(pictures))
            if self.step % LOG_STEPS == 0:
                LOG.info("step %d of %d, loss %.4f", self.step, self.config.steps, torch.stack(losses).mean())
                losses.clear()
            if time.monotonic() > saved + SAVE_S:
                self.save()
                saved = time.monotonic()
        self.save()
        return self.step == self.config.steps

    def save(self) -> None:
        """Write the state."""
        save_state(self.folder, self.config, self.student, self.optimiser, self.step)

    def advance(self, pictures: Tensor) -> Tensor:
        """One step on a batch of fresh views; its loss."""
        torch.manual_seed(seed_of(self.config, self.step))
        rows = rows_of(self.step, len(pictures), self.config)
        views = show(pictures, rows, self.config.views).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=multiplies_bfloat16(self.device)):
            with torch.no_grad():
                wanted = self.teacher(views)
            seen = self.student(views)
        loss = distillation_loss(seen.float(), wanted.float(), self.teacher.classifier, self.config.temperature)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.student.parameters(), CLIP)
        self.optimiser.step(self.config.rate * schedule(self.step / self.config.steps, self.config.warmup))
        self.step += 1
        return loss.detach()


def distillation_loss(seen: Tensor, wanted: Tensor, classifier: nn.Linear | None, temperature: float) -> Tensor:
    """Squared error of the map over its variance, plus divergence of the classes that it implies.

    Args:
        seen, wanted: (b, s, channels) of student and teacher.
    """
    error = functional.mse_loss(seen, wanted) / wanted.var()
    if classifier is None:
        return error
    student = functional.log_softmax(classifier(seen.mean(1)) / temperature, dim=-1)
    teacher = functional.log_softmax(classifier(wanted.mean(1)) / temperature, dim=-1)
    return error + functional.kl_div(student, teacher, reduction="batchmean", log_target=True)


def schedule(progress: float, warmup: float) -> float:
    """Share of the highest rate: a linear rise, then a cosine to zero."""
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    return 0.5 + 0.5 * math.cos(math.pi * (progress - warmup) / (1 - warmup))


def rows_of(step: int, count: int, config: DistillConfig) -> Tensor:
    """The pictures of a step, (batch,): epoch after epoch, each in an order of its own."""
    epoch, start = divmod(step * config.batch, count)
    epochs = range(epoch, epoch + 1 + (start + config.batch - 1) // count)
    orders = [torch.randperm(count, generator=torch.Generator().manual_seed(seed_of(config, e))) for e in epochs]
    return torch.cat(orders)[start : start + config.batch]


def seed_of(config: DistillConfig, number: int) -> int:
    """Of a step or an epoch: nothing random needs to be saved."""
    return config.seed * 1_000_003 + number
