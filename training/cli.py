"""Commands that train and evaluate checkpoints."""

from __future__ import annotations

from typing import Any

from omninet.training.commands import calibrate, data, distill, evaluate, reproduce, train


def add_commands(subparsers: Any) -> None:
    """Add ``data``, ``train``, ``evaluate``, ``calibrate``, ``distill`` and ``reproduce``."""
    for command in (data, train, evaluate, calibrate, distill, reproduce):
        command.add(subparsers)
