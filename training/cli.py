"""The commands that make and measure checkpoints."""

from __future__ import annotations

from typing import Any

from training.commands import data, distill, evaluate, train


def add_commands(subparsers: Any) -> None:
    """Add ``data``, ``train``, ``evaluate`` and ``distill``."""
    for command in (data, train, evaluate, distill):
        command.add(subparsers)
