"""Rows of one shape through the encoder, together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from omninet.model.network.memory import Memory
from omninet.model.network.omninet import OmniNet
from omninet.model.rows import Row


def encode(network: OmniNet, device: torch.device, rows: Sequence[Row]) -> Memory:
    """Encode rows of one shape together on the network's device."""
    return network.encode(on_device(network, device, rows), rows[0].moves)


def on_device(network: OmniNet, device: torch.device, rows: Sequence[Row]) -> list[tuple[str, str, Any]]:
    """Return rows of one shape as ``OmniNet.encode`` takes them: each input collated, on the network's device."""
    inputs = []
    for position, given in enumerate(rows[0].inputs):
        collate = network.peripherals[given.peripheral].collate
        batch = collate([row.inputs[position].value for row in rows])  # type: ignore[operator]
        inputs.append((given.peripheral, given.domain, _to(batch, device)))
    return inputs


def _to(batch: Any, device: torch.device) -> Any:
    """Tensors, or named tuples of them, on a device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    return type(batch)(*(value.to(device) for value in batch))
