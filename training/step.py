"""One loss, one step: every runner trains with these."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.omninet import OmniNet
from model.outputs import OUTPUTS
from training.batches import Batch


@dataclass(frozen=True)
class StepResult:
    """What one step saw: mean negative log-probability in nats, share of right targets, norm of the gradient.

    Attributes:
        skipped: samples that could not be read.
    """

    task: str
    loss: float
    accuracy: float
    gradient_norm: float
    samples: int
    skipped: int = 0

    @property
    def finite(self) -> bool:
        """Whether its gradient may be used."""
        return bool(torch.tensor([self.loss, self.gradient_norm]).isfinite().all())


class Objective(nn.Module):
    """What training makes small, as one call, so that wrappers for several processes have something to wrap."""

    def __init__(self, network: OmniNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Negative log-probability of a batch's real targets, summed, and how many were right: both scalars."""
        memory = self.network.encode(batch.inputs, self.network.config.tasks[batch.task].moves)
        log_probabilities = self.network.cnp.decode(memory, batch.task, batch.targets)
        right = log_probabilities.argmax(-1) == batch.targets
        output = OUTPUTS[self.network.config.tasks[batch.task].output]
        terms = output.loss(log_probabilities, batch.targets, batch.mask)
        return torch.stack(list(terms.values())).sum(), (right & batch.mask).sum()


class Peers:
    """The processes that take each step together: this one alone.

    Attributes:
        rank: number of this one.
        count: how many there are.
    """

    rank, count = 0, 1

    def totals(self, *values: float) -> list[float]:
        """Each value summed over the peers; all of them must ask."""
        return list(values)

    def any(self, *flags: bool) -> list[bool]:
        """Whether each flag is set on any of the peers; all of them must ask."""
        return [total > 0 for total in self.totals(*flags)]

    def apart(self, objective: nn.Module) -> AbstractContextManager[None]:  # noqa: ARG002
        """Meanwhile gradients are added up by each of the peers for itself."""
        return nullcontext()

    def clip(self, parameters: Iterable[nn.Parameter], largest: float) -> float:
        """Scale gradients down to a largest norm; the norm before."""
        return float(nn.utils.clip_grad_norm_(parameters, largest))


ALONE = Peers()


def compute_gradients(
    objective: nn.Module,
    batches: Sequence[Batch],
    clip: float,
    precision: torch.dtype = torch.float32,
    peers: Peers = ALONE,
) -> StepResult:
    """Forward and backward over batches of one task as if they were one; the gradients replace the parameters' own.

    Where no peer has any target, there are no gradients and the result has no samples.

    Args:
        objective: an Objective, or what wraps it and takes the mean of the peers' gradients.
        clip: largest norm of the gradient.
        precision: of the matrix products; weights, sums and losses stay float32.
        peers: who has the other parts of these batches; the result is that of all.
    """
    objective.zero_grad()
    counts = [(batch.real, batch.samples, batch.skipped) for batch in batches]
    targets, samples, skipped = map(int, peers.totals(*map(sum, zip(*counts, strict=True))))
    if not targets:
        return StepResult(batches[0].task, 0.0, 0.0, 0.0, 0, skipped)
    found = []
    for number, batch in enumerate(batches, 1):
        with nullcontext() if number == len(batches) else peers.apart(objective):
            found.append(_add_gradients(objective, batch, peers.count / targets, precision))
    norm = peers.clip(objective.parameters(), clip)
    loss, right = peers.totals(*map(sum, zip(*found, strict=True)))
    return StepResult(batches[0].task, loss / targets, right / targets, norm, samples, skipped)


def _add_gradients(objective: nn.Module, batch: Batch, scale: float, precision: torch.dtype) -> tuple[float, float]:
    """What the objective gives; its gradients, times ``scale``, are added to those of the parameters."""
    with torch.autocast(batch.targets.device.type, precision, enabled=precision != torch.float32):
        nll, right = objective(batch)
    (nll * scale).backward()
    return float(nll.detach()), float(right)


def seed_step(seed: int, task: str, number: int, rank: int = 0) -> None:
    """Random numbers of a task's step: they follow from its number, so there is no state to save."""
    name = f"{seed}:{task}:{number}" + (f":{rank}" if rank else "")
    torch.manual_seed(random.Random(name).getrandbits(63))
