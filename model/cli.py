"""Commands of the model package."""

from __future__ import annotations

from typing import Any

from omninet.model.commands import export, inspect, predict
from omninet.model.official import commands as official


def add_commands(subparsers: Any) -> None:
    """Add the commands ``predict``, ``inspect``, ``export``, ``import-official`` and ``fetch-official``."""
    predict.add(subparsers)
    inspect.add(subparsers)
    export.add(subparsers)
    official.add(subparsers)
