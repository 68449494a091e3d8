"""Training loop of a distillation; it can be interrupted at any time and resumed on another machine."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from omninet.model.fast.devices import multiplies_bfloat16
from omninet.training.distill.config import DistillConfig
from omninet.training.distill.networks import Student, StudentOutput
from omninet.training.distill.optimiser import DistillOptimiser
from omninet.training.distill.state import load_state, save_state
from omninet.training.distill.targets import Targets, TeacherOutput
from omninet.training.distill.view_loader import ViewLoader, numbers_of, seed_of
from omninet.training.distill.views import jitter
from omninet.training.distill.words import CaptionWords
from omninet.training.runtime.interrupt import Interrupt

LOG = logging.getLogger(__name__)
SAVE_S = 120.0
LOG_STEPS = 100
CLIP = 5.0  # maximum norm of the gradient


class Fit:
    """A distillation in progress, resumed from the last state in its folder.

    Attributes:
        student: the network that is trained.
        average: exponential moving average of its weights (Polyak, Juditsky 1992); better than the student at a
            constant learning rate, and therefore what is evaluated and saved.
        progress: steps done and training time.
    """

    def __init__(
        self,
        config: DistillConfig,
        student: Student,
        loader: ViewLoader,
        targets: Targets,
        folder: Path,
        device: torch.device,
        words: CaptionWords | None = None,
    ) -> None:
        """Load the last state, if any.

        Args:
            words: of the captions of the photos, if they are learned.

        Raises:
            DataError: the folder holds the state of another distillation.
        """
        self.config, self.folder, self.device = config, folder, device
        self.loader, self.targets, self.words = loader, targets, words
        self.student = student.to(device)
        self.average = copy.deepcopy(self.student).requires_grad_(False)
        self.optimiser = DistillOptimiser(self.student, config.decay)
        self.progress = load_state(folder, config, self.student, self.average, self.optimiser)

    @property
    def done(self) -> bool:
        """Return whether all steps are done."""
        return self.progress.step >= self.config.steps

    def run(
        self, photos: Tensor, stop: Interrupt, minutes: float = math.inf, measure: Callable[[Fit], None] | None = None
    ) -> None:
        """Train until the last step, a signal, or the time limit.

        Args:
            photos: numbers of the training photos, (n,).
            minutes: maximum training time of this call.
            measure: evaluation, called every ``config.measured`` steps and after the last.
        """
        began = saved = time.monotonic()
        losses: list[Tensor] = []
        while not self.done and not stop.is_set and time.monotonic() < began + 60 * minutes:
            start = time.monotonic()
            losses.append(self.advance(photos))
            self.progress.seconds += time.monotonic() - start
            if self.progress.step % LOG_STEPS == 0:
                loss = float(torch.stack(losses).mean())
                LOG.info("step %d of %d, loss %.4f", self.progress.step, self.config.steps, loss)
                losses.clear()
            if measure and (self.done or self.progress.step % self.config.measured == 0):
                measure(self)
            if time.monotonic() > saved + SAVE_S:
                self.save()
                saved = time.monotonic()
        self.save()

    def save(self) -> None:
        """Write the state."""
        save_state(self.folder, self.config, self.student, self.average, self.optimiser, self.progress)

    def advance(self, photos: Tensor) -> Tensor:
        """Take one step on a batch of views of the photos of these numbers, (n,); return its loss."""
        step = self.progress.step
        torch.manual_seed(seed_of(self.config, step))
        self.student.train()
        numbers = numbers_of(step, photos, self.config)
        views = self.loader(numbers)
        views, wanted = mirror(views, self.targets.of(numbers, views))
        jittered = jitter(views, self.config.views.light).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=multiplies_bfloat16(self.device)):
            seen = self.student(jittered)
        loss = distillation_loss(seen, wanted, self.config.temperature)
        if self.words is not None and seen.words is not None:
            loss = loss + self.words.loss(seen.words, numbers // self.loader.kinds)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.student.parameters(), CLIP)
        self.optimiser.step(self.config.rate * schedule(step / self.config.steps, self.config))
        # Early on, the average is over few steps, so the decay is smaller.
        update_average(self.average, self.student, min(self.config.average, (1 + step) / (10 + step)))
        self.progress.step += 1
        return loss.detach()


def mirror(views: Tensor, wanted: TeacherOutput) -> tuple[Tensor, TeacherOutput]:
    """Mirror a random half of the views, (b, 3, size, size), together with the teachers' maps."""
    flipped = torch.rand(len(views)) < 0.5
    views = torch.where(flipped[:, None, None, None], views.flip(-1), views)
    maps = []
    for cells in wanted.maps:
        side = math.isqrt(cells.shape[1])
        mirrored = cells.view(len(cells), side, side, -1).flip(2).flatten(1, 2)
        maps.append(torch.where(flipped.to(cells.device)[:, None, None], mirrored, cells))
    return views, TeacherOutput(tuple(maps), wanted.logits)


def distillation_loss(seen: StudentOutput, wanted: TeacherOutput, temperature: float) -> Tensor:
    """Return the sum of the mean squared errors of the maps (of variance 1) and the KL divergence of the classes."""
    loss = torch.stack([functional.mse_loss(s.float(), w) for s, w in zip(seen.maps, wanted.maps, strict=True)]).sum()
    if seen.logits is None or wanted.logits is None:
        return loss
    student = functional.log_softmax(seen.logits.float() / temperature, dim=-1)
    teacher = functional.log_softmax(wanted.logits / temperature, dim=-1)
    return loss + functional.kl_div(student, teacher, reduction="batchmean", log_target=True)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Update an exponential moving average with decay ``decay``; integer buffers such as batch counters are copied."""
    pairs = list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))
    floating = [(a, n) for a, n in pairs if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floating], [n for _, n in floating], 1 - decay)
    for a, n in pairs:
        if not a.is_floating_point():
            a.copy_(n)


def schedule(progress: float, config: DistillConfig) -> float:
    """Return the learning rate as a share of its maximum: linear warm-up, constant, linear cooldown to zero."""
    if progress < config.warmup:
        return (progress + 1e-3) / (config.warmup + 1e-3)
    return min(1.0, (1 - progress) / config.cooldown) if config.cooldown else 1.0
