"""What a modality offers to the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence


class Steps(NamedTuple):
    """Padded time steps, (b, t, ...), and their mask, (b, t)."""

    values: Tensor
    mask: Tensor


class Peripheral(nn.Module, ABC):
    """Turns inputs of one modality into (b, t, s, d) (paper, section 3.1)."""

    @abstractmethod
    def __init__(self, config: Any, d_model: int) -> None:
        super().__init__()

    @staticmethod
    def collate(rows: Sequence[Any]) -> Any:
        """Return prepared inputs of several rows as one batch, a tensor or a named tuple of tensors.

        By default rows are arrays (t, ...) of any lengths.
        """
        values = [torch.as_tensor(row) for row in rows]
        mask = [torch.ones(len(row), dtype=torch.bool) for row in values]
        return Steps(pad_sequence(values, batch_first=True), pad_sequence(mask, batch_first=True))

    @abstractmethod
    def forward(self, batch: Any, moves: bool = True) -> tuple[Tensor, Tensor | None]:
        """A batch -> (b, t, s, d) and its mask (b, t), None where nothing is padded.

        Args:
            moves: whether a step may also tell what has changed since the one before.
        """


class BackbonePeripheral(Peripheral):
    """A peripheral with a frozen part in front, whose features can be computed once and kept.

    Attributes:
        backbone: the frozen part.
    """

    backbone: nn.Module

    @abstractmethod
    def features(self, batch: Tensor) -> Tensor:
        """A batch of prepared inputs -> what the backbone makes of it, (b, t, s, channels); ``forward`` takes both."""


def backboned(network: nn.Module) -> list[BackbonePeripheral]:
    """Return the peripherals of a network that have a backbone."""
    return [module for module in network.modules() if isinstance(module, BackbonePeripheral)]
