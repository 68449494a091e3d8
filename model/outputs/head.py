"""What an output makes of the network's states, with parameters of its own where it needs some."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from omninet.model.decoding.goal import Reads
from omninet.model.tasks import Task


class States(NamedTuple):
    """What a head reads: log-probabilities (b, n, c) or states (b, n, d); mask (b, n), None where all is real."""

    values: Tensor
    mask: Tensor | None = None


@dataclass(frozen=True)
class Loss:
    """The training loss of a batch.

    Attributes:
        terms: by name, each summed over the real targets.
        right: how many targets were met.
    """

    terms: dict[str, Tensor]
    right: Tensor


class Head(nn.Module, ABC):
    """The part of a network that belongs to one task's output.

    Attributes:
        reads: what it is trained on; each is given to ``loss``.
    """

    reads: ClassVar[tuple[Reads, ...]] = ("classes",)

    def __init__(self, task: Task, d_model: int) -> None:  # noqa: ARG002
        super().__init__()

    @abstractmethod
    def loss(self, states: Mapping[Reads, States], targets: Tensor, mask: Tensor) -> Loss:
        """Compare states with what is right.

        Args:
            targets, mask: as ``Output.target`` gives them, padded, and false at padding, (b, n).
        """

    def values(self, states: Tensor, mask: Tensor | None, reads: Reads) -> Tensor:
        """Turn states (b, n, d), the mask (b, n), into what an answer is made of, (b, values).

        Args:
            reads: which states these are.
        """
        raise NotImplementedError(f"{type(self).__name__} chooses among classes")


class ClassHead(Head):
    """Chooses among the classes of a vocabulary; their embeddings and classifiers are the CNP's."""

    def loss(self, states: Mapping[Reads, States], targets: Tensor, mask: Tensor) -> Loss:
        """Negative log-probability of the targets."""
        log_probabilities = states["classes"].values
        chosen = log_probabilities.gather(-1, targets[..., None])[..., 0]
        nll = -torch.where(mask, chosen, torch.zeros_like(chosen)).sum()
        right = (log_probabilities.argmax(-1) == targets) & mask
        return Loss({"nll": nll}, right.sum())
