"""Rows of a batch: prepared inputs, and what to decode from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from model.decoding import Goal
from model.memory import Memory
from model.omninet import OmniNet
from model.peripherals import PERIPHERALS
from model.tasks import TASKS


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a batch: prepared inputs in the order of encoding, and what to decode from them."""

    inputs: tuple[tuple[str, Any], ...]
    goal: Goal

    @property
    def moves(self) -> bool:
        """Whether its task has learnt what motion looks like."""
        return TASKS[self.goal.task].moves

    @property
    def shape(self) -> tuple[bool, tuple[tuple[str, int], ...]]:
        """Rows of equal shape are encoded together; texts are padded, pictures are not."""
        return self.moves, tuple((name, 0 if name == "language" else len(value)) for name, value in self.inputs)


def encode(network: OmniNet, device: torch.device, rows: Sequence[Row]) -> Memory:
    """Rows of one shape, encoded together on the network's device."""
    inputs = []
    for position, (name, _) in enumerate(rows[0].inputs):
        batch = PERIPHERALS[name].collate([row.inputs[position][1] for row in rows])
        inputs.append((name, _to(batch, device)))
    memory: Memory = network.encode(inputs, rows[0].moves)
    return memory


def _to(batch: Any, device: torch.device) -> Any:
    """Tensors, or named tuples of them, on a device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    return type(batch)(*(value.to(device) for value in batch))
