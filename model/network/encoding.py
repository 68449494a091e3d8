"""Collate and encode rows of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from omninet.model.network.memory import Memory
from omninet.model.network.omninet import OmniNet
from omninet.model.rows import Row


def encode(network: OmniNet, device: torch.device, rows: Sequence[Row]) -> Memory:
    """Encode rows of one shape (``Row.shape``) as one batch on ``device``."""
    return network.encode(on_device(network, device, rows), rows[0].moves)


def on_device(network: OmniNet, device: torch.device, rows: Sequence[Row]) -> list[tuple[str, str, Any]]:
    """Collate the inputs of rows of one shape and move them to ``device``; returns the argument of OmniNet.encode."""
    inputs = []
    for position, given in enumerate(rows[0].inputs):
        collate = network.peripherals[given.peripheral].collate
        batch = collate([row.inputs[position].value for row in rows])  # type: ignore[operator]
        inputs.append((given.peripheral, given.domain, _to(batch, device)))
    return inputs


def _to(batch: Any, device: torch.device) -> Any:
    """Move a tensor, or a named tuple of tensors, to a device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    return type(batch)(*(value.to(device) for value in batch))
