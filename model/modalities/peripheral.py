"""Interface of peripherals, the encoders of a modality (paper, section 3.1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence


class Steps(NamedTuple):
    """A batch of time steps, padded, (b, t, ...), and its mask, (b, t)."""

    values: Tensor
    mask: Tensor


class Peripheral(nn.Module, ABC):
    """Encodes inputs of one modality to (b, t, s, d) (paper, section 3.1)."""

    @abstractmethod
    def __init__(self, config: Any, d_model: int) -> None:
        super().__init__()

    @staticmethod
    def collate(rows: Sequence[Any]) -> Any:
        """Collate prepared inputs of several rows to a batch, a tensor or a named tuple of tensors.

        By default rows are arrays (t, ...) of any lengths, padded to the longest.
        """
        values = [torch.as_tensor(row) for row in rows]
        mask = [torch.ones(len(row), dtype=torch.bool) for row in values]
        return Steps(pad_sequence(values, batch_first=True), pad_sequence(mask, batch_first=True))

    @abstractmethod
    def forward(self, batch: Any, moves: bool = True) -> tuple[Tensor, Tensor | None]:
        """Encode a batch.

        Args:
            batch: result of ``collate``.
            moves: add motion features, the change since the previous step (``Task.moves``).

        Returns:
            Encoded inputs, (b, t, s, d), and their mask, (b, t), None if nothing is padded.
        """

    def blank(self, encoded: Tensor) -> Tensor:
        """Return the encoding of cells that show nothing, (d,) or (s, d), for explanations; by default the mean of all.

        Args:
            encoded: result of ``forward`` for one input, (1, t, s, d).
        """
        return encoded.mean((0, 1, 2))


class BackbonePeripheral(Peripheral):
    """A peripheral with a frozen backbone, whose features can be cached.

    Attributes:
        backbone: pretrained network without its classifier.
    """

    backbone: nn.Module

    @abstractmethod
    def features(self, batch: Tensor) -> Tensor:
        """Compute backbone features, (b, t, s, channels); ``forward`` accepts them in place of the batch."""

    @abstractmethod
    def example(self) -> Tensor:
        """Return a batch (2, 2, ...) of any values, with which the peripheral is traced for an export."""


def backboned(network: nn.Module) -> list[BackbonePeripheral]:
    """Return the peripherals of a network that have a backbone."""
    return [module for module in network.modules() if isinstance(module, BackbonePeripheral)]
