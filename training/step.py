"""One loss, one step: every runner trains with these."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.omninet import OmniNet
from training.batches import Batch

BETAS, EPSILON = (0.9, 0.98), 1e-9


@dataclass(frozen=True)
class StepResult:
    """What one step saw: mean negative log-probability in nats, share of right targets, norm of the gradient."""

    task: str
    loss: float
    accuracy: float
    gradient_norm: float


def make_optimiser(network: nn.Module) -> torch.optim.Adam:
    """Adam as the paper's code has it, over what is not frozen."""
    trained = [p for p in network.parameters() if p.requires_grad]
    return torch.optim.Adam(trained, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)


def loss_of(network: OmniNet, batch: Batch) -> tuple[Tensor, Tensor]:
    """Cross entropy and accuracy, both scalars, over the real targets of a batch."""
    memory = network.encode(batch.inputs)
    log_probabilities = network.cnp.decode(memory, batch.task, batch.targets)
    chosen = log_probabilities.gather(-1, batch.targets[..., None])[..., 0]
    right = log_probabilities.argmax(-1) == batch.targets
    count = batch.mask.sum()
    return -(chosen * batch.mask).sum() / count, (right & batch.mask).sum() / count


def train_step(
    network: OmniNet,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    rate: float,
    clip: float,
    precision: torch.dtype = torch.float32,
) -> StepResult:
    """Forward, backward, one update at learning rate ``rate``.

    Args:
        clip: largest norm of the gradient.
        precision: of the matrix products; weights, sums and losses stay float32.
    """
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    with torch.autocast(batch.targets.device.type, precision, enabled=precision != torch.float32):
        loss, accuracy = loss_of(network, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimiser.step()
    return StepResult(batch.task, float(loss.detach()), float(accuracy), float(norm))
