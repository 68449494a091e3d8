"""Rows of a batch: prepared inputs, and what to decode from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from model.decoding import Goal
from model.memory import Memory
from model.omninet import OmniNet


class Prepared(NamedTuple):
    """One input of a row, as the network takes it.

    Attributes:
        peripheral: name of the peripheral that encodes it.
        domain: name of its control vector.
        value: what the peripheral collates.
        frames: pictures in it that go through a backbone; 0 for what has none.
    """

    peripheral: str
    domain: str
    value: Any
    frames: int = 0


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a batch: prepared inputs in the order of encoding, and what to decode from them.

    Attributes:
        moves: whether its task has learnt what motion looks like.
    """

    inputs: tuple[Prepared, ...]
    goal: Goal
    moves: bool = False

    @property
    def shape(self) -> tuple[bool, tuple[tuple[str, str, int], ...]]:
        """Rows of equal shape are encoded together; texts are padded, pictures are not."""
        return self.moves, tuple((given.peripheral, given.domain, given.frames) for given in self.inputs)


def encode(network: OmniNet, device: torch.device, rows: Sequence[Row]) -> Memory:
    """Encode rows of one shape together on the network's device."""
    inputs = []
    for position, given in enumerate(rows[0].inputs):
        collate = network.peripherals[given.peripheral].collate
        batch = collate([row.inputs[position].value for row in rows])  # type: ignore[operator]
        inputs.append((given.peripheral, given.domain, _to(batch, device)))
    memory: Memory = network.encode(inputs, rows[0].moves)
    return memory


def _to(batch: Any, device: torch.device) -> Any:
    """Tensors, or named tuples of them, on a device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    return type(batch)(*(value.to(device) for value in batch))
