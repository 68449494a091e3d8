"""Output heads: training loss, and values computed from hidden states."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from omninet.model.config import CNPConfig
from omninet.model.decoding.goal import Reads
from omninet.model.tasks import Task


class States(NamedTuple):
    """Input of a head.

    Attributes:
        values: log-probabilities (b, n, c), or hidden states (b, n, d).
        mask: (b, n), false at padding; None without padding.
        spatial: weights of the decoder's attention to the cells of a picture, averaged over the heads, (b, n, P) for
            each layer; only for heads with ``attends``.
    """

    values: Tensor
    mask: Tensor | None = None
    spatial: Sequence[Tensor] = ()


@dataclass(frozen=True)
class Loss:
    """The training loss of a batch.

    Attributes:
        terms: name -> loss term, summed over the real targets.
        right: number of targets that were predicted correctly.
        mistaken: for each first input the row of a similar second input that is not its own, (b,); its own if there is
            none. None if nothing was compared.
    """

    terms: dict[str, Tensor]
    right: Tensor
    mistaken: Tensor | None = None


class Head(nn.Module, ABC):
    """Output head of one task.

    Attributes:
        reads: states of the network that ``loss`` needs; see Goal.
        attends: True if ``loss`` needs the attention to the cells of a picture as well.
    """

    reads: ClassVar[tuple[Reads, ...]] = ("classes",)
    attends: ClassVar[bool] = False

    def __init__(self, task: Task, d_model: int) -> None:  # noqa: ARG002
        super().__init__()

    @classmethod
    def of(cls, task: Task, d_model: int, classes: int) -> Self:  # noqa: ARG003
        """Build the head of a task whose vocabulary has ``classes`` classes (0 without one), unused by default."""
        return cls(task, d_model)

    def needs(self, config: CNPConfig) -> tuple[Reads, ...]:  # noqa: ARG002
        """Return the states that the loss needs from a network; by default ``reads``."""
        return self.reads

    def compare(self, inputs: Sequence[Mapping[Reads, States]], targets: Tensor) -> Loss:
        """Compute the training loss of a task whose inputs are alternatives (``Task.either``), encoded one by one.

        Args:
            inputs: the states of each input.
            targets: padded targets of ``Output.target``, (b, n).
        """
        raise NotImplementedError(f"{type(self).__name__} compares no inputs")

    def loss(self, states: Mapping[Reads, States], targets: Tensor, mask: Tensor) -> Loss:
        """Compute the training loss.

        Args:
            states: one entry for each of ``reads``.
            targets: padded targets of ``Output.target``, (b, n).
            mask: (b, n), false at padding.
        """
        raise NotImplementedError(f"{type(self).__name__} has no loss of inputs that are encoded together")

    def soft_loss(self, states: Mapping[Reads, States], targets: Tensor, shares: Tensor, mask: Tensor) -> Loss:
        """Compute the training loss of soft targets.

        Args:
            states, targets, mask: as for ``loss``, with one target in each row: n = 1.
            shares: share of each class in the target, (b, c).
        """
        raise NotImplementedError(f"{type(self).__name__} has no loss of soft targets")

    def alignment(self, states: Tensor) -> Tensor:
        """Compute log-probabilities of the classes at each time step, for ``Goal.aligned``.

        Args:
            states: output of the temporal encoder, (b, t, d).

        Returns:
            Natural log-probabilities, (b, t, c).
        """
        raise NotImplementedError(f"{type(self).__name__} aligns nothing")

    def values(self, states: Tensor, mask: Tensor | None, reads: Reads) -> Tensor:
        """Compute the values of answers from hidden states.

        Args:
            states: (b, n, d).
            mask: (b, n), false at padding; None without padding.
            reads: which states these are; see Goal.

        Returns:
            Values, (b, values).
        """
        raise NotImplementedError(f"{type(self).__name__} chooses among classes and computes no values")


class ClassHead(Head):
    """Head of outputs with a vocabulary; it has no parameters, since the classifiers belong to the CNP."""

    def loss(self, states: Mapping[Reads, States], targets: Tensor, mask: Tensor) -> Loss:
        """Compute the negative log-likelihood of the targets."""
        log_probabilities = states["classes"].values
        chosen = log_probabilities.gather(-1, targets[..., None])[..., 0]
        return _nll(log_probabilities, chosen, targets, mask)

    def soft_loss(self, states: Mapping[Reads, States], targets: Tensor, shares: Tensor, mask: Tensor) -> Loss:
        """Compute the cross entropy against the soft targets."""
        log_probabilities = states["classes"].values
        # A class without a share counts nothing, also if its probability is 0.
        parts = torch.where(shares[:, None] > 0, shares[:, None] * log_probabilities, 0.0)
        return _nll(log_probabilities, parts.sum(-1), targets, mask)


def _nll(log_probabilities: Tensor, chosen: Tensor, targets: Tensor, mask: Tensor) -> Loss:
    """Return the negative sum of the log-likelihoods ``chosen`` (b, n) of the real targets."""
    nll = -torch.where(mask, chosen, torch.zeros_like(chosen)).sum()
    right = (log_probabilities.argmax(-1) == targets) & mask
    return Loss({"nll": nll}, right.sum())
