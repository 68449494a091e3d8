"""One loss, one step: every runner trains with these."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.omninet import OmniNet
from model.tasks import TASKS
from training.batches import Batch


@dataclass(frozen=True)
class StepResult:
    """What one step saw: mean negative log-probability in nats, share of right targets, norm of the gradient."""

    task: str
    loss: float
    accuracy: float
    gradient_norm: float
    samples: int

    @property
    def finite(self) -> bool:
        """Whether its gradient may be used."""
        return bool(torch.tensor([self.loss, self.gradient_norm]).isfinite().all())


def loss_of(network: OmniNet, batch: Batch) -> tuple[Tensor, Tensor]:
    """Cross entropy and accuracy, both scalars, over the real targets of a batch."""
    memory = network.encode(batch.inputs, TASKS[batch.task].moves)
    log_probabilities = network.cnp.decode(memory, batch.task, batch.targets)
    chosen = log_probabilities.gather(-1, batch.targets[..., None])[..., 0]
    right = log_probabilities.argmax(-1) == batch.targets
    count = batch.mask.sum()
    return -(chosen * batch.mask).sum() / count, (right & batch.mask).sum() / count


def compute_gradients(
    network: OmniNet, batches: Sequence[Batch], clip: float, precision: torch.dtype = torch.float32
) -> StepResult:
    """Forward and backward over batches of one task as if they were one; the gradients replace the parameters' own.

    Args:
        clip: largest norm of the gradient.
        precision: of the matrix products; weights, sums and losses stay float32.
    """
    network.zero_grad()
    targets = sum(int(batch.mask.sum()) for batch in batches)
    loss = accuracy = 0.0
    for batch in batches:
        share = int(batch.mask.sum()) / targets
        with torch.autocast(batch.targets.device.type, precision, enabled=precision != torch.float32):
            mean, right = loss_of(network, batch)
        (mean * share).backward()  # type: ignore[no-untyped-call]
        loss, accuracy = loss + share * float(mean.detach()), accuracy + share * float(right)
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip)
    return StepResult(batches[0].task, loss, accuracy, float(norm), sum(len(batch.targets) for batch in batches))


def seed_step(seed: int, task: str, number: int) -> None:
    """Random numbers of a task's step: they follow from its number, so there is no state to save."""
    torch.manual_seed(random.Random(f"{seed}:{task}:{number}").getrandbits(63))
