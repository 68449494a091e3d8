"""Commands that train and evaluate checkpoints."""

from __future__ import annotations

from typing import Any

from omninet.training.commands import average, calibrate, data, distill, evaluate, reproduce, train


def add_commands(subparsers: Any) -> None:
    """Add the commands of the package."""
    for command in (data, train, evaluate, calibrate, average, distill, reproduce):
        command.add(subparsers)
