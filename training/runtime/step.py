"""One loss, one step: every runner trains with these."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from omninet.model.decoding.goal import Reads
from omninet.model.network.layers import Losses
from omninet.model.network.memory import Memory
from omninet.model.network.omninet import OmniNet
from omninet.model.outputs.head import Head, States
from omninet.training.pipeline.batches import Batch


@dataclass(frozen=True)
class StepResult:
    """What one step saw: mean loss of a target, share of targets that were met, norm of the gradient.

    Attributes:
        terms: by name, of which the loss is the sum; empty where it is a single one.
        skipped: samples that could not be read.
    """

    task: str
    loss: float
    accuracy: float
    gradient_norm: float
    samples: int
    skipped: int = 0
    terms: Mapping[str, float] = field(default_factory=dict)

    @property
    def finite(self) -> bool:
        """Whether its gradient may be used."""
        return bool(torch.tensor([self.loss, self.gradient_norm]).isfinite().all())


class Objective(nn.Module):
    """What training makes small, as one call, so that wrappers for several processes have something to wrap."""

    def __init__(self, network: OmniNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Terms of a batch's loss by name, each summed over its real targets, and how many were met: all scalars."""
        losses: Losses = {}
        head: Head = self.network.heads[batch.task]  # type: ignore[assignment]
        loss = head.loss(self._states(batch, head.reads, losses), batch.targets, batch.mask)
        # What layers add is of the size of a mean over the targets.
        return loss.terms | {name: term * batch.real for name, term in losses.items()}, loss.right

    def _states(self, batch: Batch, reads: Sequence[Reads], losses: Losses) -> dict[Reads, States]:
        """What a head reads; terms of the layers are added to ``losses``, once."""
        moves = self.network.config.tasks[batch.task].moves
        found: dict[Reads, States] = {}
        if depths := [depth for depth in reads if isinstance(depth, int)]:
            exits, mask = self.network.exits(batch.inputs, depths, moves)
            found |= {depth: States(exits[depth], mask) for depth in depths}
        decoded = [name for name in reads if not isinstance(name, int)]
        if decoded:
            memory = self.network.encode(batch.inputs, moves, losses)
            first, *others = decoded
            found[first] = self._decoded(memory, batch, first, losses)
            found |= {name: self._decoded(memory, batch, name) for name in others}
        return found

    def _decoded(self, memory: Memory, batch: Batch, name: Reads, losses: Losses | None = None) -> States:
        """Log-probabilities of the classes, or the states that these come from."""
        cnp = self.network.cnp
        if name == "classes":
            return States(cnp.decode(memory, batch.task, batch.targets, losses=losses), batch.mask)
        if cnp.tasks[batch.task]:
            return States(cnp.hidden(memory, batch.task, batch.targets, losses=losses), batch.mask)
        return States(cnp.first_hidden(memory, batch.task, losses))


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
    sums: dict[str, float] = {}
    met = 0.0
    for number, batch in enumerate(batches, 1):
        with nullcontext() if number == len(batches) else peers.apart(objective):
            terms, right = _add_gradients(objective, batch, peers.count / targets, precision)
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + value
        met += right
    norm = peers.clip(objective.parameters(), clip)
    met, *totals = peers.totals(met, *sums.values())
    means = {name: total / targets for name, total in zip(sums, totals, strict=True)}
    named = means if len(means) > 1 else {}
    return StepResult(batches[0].task, sum(totals) / targets, met / targets, norm, samples, skipped, named)


def _add_gradients(
    objective: nn.Module, batch: Batch, scale: float, precision: torch.dtype
) -> tuple[dict[str, float], float]:
    """What the objective gives; its gradients, times ``scale``, are added to those of the parameters."""
    with torch.autocast(batch.targets.device.type, precision, enabled=precision != torch.float32):
        terms, right = objective(batch)
    total: Tensor = torch.stack(list(terms.values())).sum() * scale
    total.backward()  # type: ignore[no-untyped-call]
    return {name: float(term.detach()) for name, term in terms.items()}, float(right)


def seed_step(seed: int, task: str, number: int, rank: int = 0) -> None:
    """Random numbers of a task's step: they follow from its number, so there is no state to save."""
    name = f"{seed}:{task}:{number}" + (f":{rank}" if rank else "")
    torch.manual_seed(random.Random(name).getrandbits(63))
