"""Forward and backward pass of one training step, for all runners."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from omninet.model.decoding.goal import Depth, Reads, depth_of
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.layers import LayerAttention
from omninet.model.network.memory import Memory
from omninet.model.network.omninet import OmniNet
from omninet.model.network.temporal_encoder import Exits
from omninet.model.outputs.head import Head, Loss, States
from omninet.training.pipeline.batches import Batch, rows_of

T = TypeVar("T")
NEGATIVES = 32  # mistaken pairs of a batch that another task is trained on


@dataclass(frozen=True)
class StepResult:
    """Result of one step: mean loss and accuracy over the targets, and the norm of the gradient.

    Attributes:
        terms: named terms of which the loss is the sum; empty if there is only one.
        skipped: samples that could not be read.
        loads: mixture of experts -> share of the positions that each expert has processed; of this process alone.
    """

    task: str
    loss: float
    accuracy: float
    gradient_norm: float
    samples: int
    skipped: int = 0
    terms: Mapping[str, float] = field(default_factory=dict)
    loads: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def finite(self) -> bool:
        """Return whether loss and gradient are finite."""
        return bool(torch.tensor([self.loss, self.gradient_norm]).isfinite().all())


class Computed(NamedTuple):
    """What the objective of a batch returns.

    Attributes:
        terms: named loss terms, each summed over the unpadded targets; scalars.
        right: number of correct targets; a scalar.
        loads: mixture of experts -> number of positions that each expert has processed, (experts,).
    """

    terms: dict[str, Tensor]
    right: Tensor
    loads: dict[str, Tensor]


class Objective(nn.Module):
    """The training loss as a module, so that DDP and FSDP2 can wrap it."""

    def __init__(self, network: OmniNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> Computed:
        """Compute a batch's loss."""
        auxiliary = Auxiliary()
        head: Head = self.network.heads[batch.task]  # type: ignore[assignment]
        reads = head.needs(self.network.config.cnp)
        if self.network.config.tasks[batch.task].either:
            inputs = [self._states(replace(batch, inputs=(given,)), reads, auxiliary) for given in batch.inputs]
            loss = head.compare(inputs, batch.targets)
        elif batch.shares is not None:
            loss = head.soft_loss(self._states(batch, reads, auxiliary), batch.targets, batch.shares, batch.mask)
        else:
            loss = head.loss(self._states(batch, reads, auxiliary), batch.targets, batch.mask)
        # Means over layers and over pairs are scaled to sums over the targets.
        means = auxiliary.losses | self._of_negatives(batch, loss)
        terms = loss.terms | {name: term * batch.real for name, term in means.items()}
        return Computed(terms, loss.right, auxiliary.loads)

    def _of_negatives(self, batch: Batch, loss: Loss) -> dict[str, Tensor]:
        """Return the mean loss of the task ``negatives_for`` on true and on mistaken pairs (Li et al. 2021, ALBEF).

        The classes of that task are: a match, no match.
        """
        name = self.network.config.tasks[batch.task].negatives_for
        if loss.mistaken is None or name not in self.network.config.tasks:
            return {}
        rows = (loss.mistaken != torch.arange(len(loss.mistaken), device=loss.mistaken.device)).nonzero()[:, 0]
        rows = rows[torch.randperm(len(rows))[:NEGATIVES]]  # the rows of a batch are in the order of their lengths
        if not len(rows):
            return {}
        (peripheral, domain, first), (other, language, second) = batch.inputs
        both, taken = torch.cat([rows, rows]), torch.cat([rows, loss.mistaken[rows]])
        targets = torch.cat([torch.zeros_like(rows), torch.ones_like(rows)])[:, None]
        pairs = Batch(
            name,
            ((peripheral, domain, rows_of(first, both)), (other, language, rows_of(second, taken))),
            targets,
            torch.ones_like(targets, dtype=torch.bool),
        )
        head: Head = self.network.heads[name]  # type: ignore[assignment]
        states = self._states(pairs, head.needs(self.network.config.cnp), Auxiliary())
        terms = head.loss(states, targets, pairs.mask).terms
        return {f"{name} {term}": value / len(targets) for term, value in terms.items()}

    def _states(self, batch: Batch, reads: Sequence[Reads], auxiliary: Auxiliary) -> dict[Reads, States]:
        """Return the hidden states that a head reads; collect what the layers return besides them once."""
        moves = self.network.config.tasks[batch.task].moves
        exits: Exits = {depth: [] for each in reads if (depth := depth_of(each)) is not None}
        memory = self.network.encode(batch.inputs, moves, auxiliary, exits)
        masks: dict[Depth, Tensor] = {"cells": memory.spatial_mask}
        found: dict[Reads, States] = {
            depth: States(torch.cat(states, 1), masks.get(depth, memory.temporal_mask))
            for depth, states in exits.items()
        }
        for i, name in enumerate(name for name in reads if depth_of(name) is None):
            found[name] = self._decoded(memory, batch, name, None if i else auxiliary)
        return found

    def _decoded(self, memory: Memory, batch: Batch, name: Reads, auxiliary: Auxiliary | None = None) -> States:
        """Decode: log-probabilities of the classes if ``name`` is "classes", else the decoder's hidden states."""
        cnp = self.network.cnp
        if name == "classes":
            attention: list[LayerAttention] = []
            scores = cnp.decode(memory, batch.task, batch.targets, auxiliary=auxiliary, attention=attention)
            head: Head = self.network.heads[batch.task]  # type: ignore[assignment]
            layers = [layer.spatial for layer in attention if layer.spatial is not None] if head.attends else []
            return States(scores, batch.mask, [weights.mean(1) for weights in layers])
        if cnp.tasks[batch.task]:
            return States(cnp.hidden(memory, batch.task, batch.targets, auxiliary=auxiliary), batch.mask)
        return States(cnp.first_hidden(memory, batch.task, auxiliary))


class Peers:
    """The processes that take each step together; this base class is the case of a single process.

    Attributes:
        rank: index of this process.
        count: number of processes.
    """

    rank, count = 0, 1

    def totals(self, *values: float) -> list[float]:
        """Return each value summed over the peers; a collective call."""
        return list(values)

    def any(self, *flags: bool) -> list[bool]:
        """Return for each flag whether it is set on any peer; a collective call."""
        return [total > 0 for total in self.totals(*flags)]

    def from_first(self, make: Callable[[], T]) -> T:
        """Call ``make`` in the process with rank 0 only, and return its result in all; a collective call."""
        return make()

    def no_sync(self, objective: nn.Module) -> AbstractContextManager[None]:  # noqa: ARG002
        """Return a context in which gradients are accumulated locally, without synchronisation."""
        return nullcontext()

    def clip(self, parameters: Iterable[nn.Parameter], largest: float) -> float:
        """Clip gradients to a maximum norm; return the norm before clipping."""
        return float(nn.utils.clip_grad_norm_(parameters, largest))


ALONE = Peers()


def compute_gradients(
    objective: nn.Module,
    batches: Sequence[Batch],
    clip: float,
    precision: torch.dtype = torch.float32,
    peers: Peers = ALONE,
) -> StepResult:
    """Compute the gradients of batches of one task as if they were one batch; replaces the parameters' gradients.

    If no peer has any target, no gradients are computed and the result has 0 samples.

    Args:
        objective: an Objective, or a wrapper that averages the peers' gradients.
        clip: maximum norm of the gradient.
        precision: of matrix products; weights, sums and losses stay float32.
        peers: the processes that hold the other parts of these batches; the result covers all of them.
    """
    objective.zero_grad()
    counts = [(batch.real, batch.samples, batch.skipped) for batch in batches]
    targets, samples, skipped = map(int, peers.totals(*map(sum, zip(*counts, strict=True))))
    if not targets:
        return StepResult(batches[0].task, 0.0, 0.0, 0.0, 0, skipped)
    sums: dict[str, float] = {}
    loads: dict[str, Tensor] = {}
    correct = 0.0
    for number, batch in enumerate(batches, 1):
        with nullcontext() if number == len(batches) else peers.no_sync(objective):
            found = _add_gradients(objective, batch, peers.count / targets, precision)
        for name, term in found.terms.items():
            sums[name] = sums.get(name, 0.0) + float(term)
        for name, load in found.loads.items():
            loads[name] = loads[name] + load if name in loads else load
        correct += float(found.right)
    norm = peers.clip(objective.parameters(), clip)
    correct, *totals = peers.totals(correct, *sums.values())
    means = {name: total / targets for name, total in zip(sums, totals, strict=True)}
    named = means if len(means) > 1 else {}
    shares = {name: [round(share, 4) for share in (n / n.sum().clamp(min=1)).tolist()] for name, n in loads.items()}
    return StepResult(batches[0].task, sum(totals) / targets, correct / targets, norm, samples, skipped, named, shares)


def _add_gradients(objective: nn.Module, batch: Batch, scale: float, precision: torch.dtype) -> Computed:
    """Compute the objective of a batch; add its gradients, multiplied by ``scale``, to .grad."""
    with torch.autocast(batch.targets.device.type, precision, enabled=precision != torch.float32):
        found: Computed = objective(batch)
    total: Tensor = torch.stack(list(found.terms.values())).sum() * scale
    total.backward()  # type: ignore[no-untyped-call]
    return found._replace(terms={name: term.detach() for name, term in found.terms.items()})


def seed_step(seed: int, task: str, number: int, rank: int = 0) -> None:
    """Seed torch for a step of a task; the seed depends only on the arguments, so no generator state is saved."""
    name = f"{seed}:{task}:{number}" + (f":{rank}" if rank else "")
    torch.manual_seed(random.Random(name).getrandbits(63))
