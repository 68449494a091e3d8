"""The commands that make and measure checkpoints."""

from __future__ import annotations

from typing import Any

from training.commands import distill, evaluate, train


def add_commands(subparsers: Any) -> None:
    """Add ``train``, ``evaluate`` and ``distill``."""
    for command in (train, evaluate, distill):
        command.add(subparsers)
