"""Synchronous steps of several processes on any number of machines, started by torchrun (docs/distributed.md)."""

from training.distributed.ranks import Ranks, named
from training.distributed.run import RankedRun, run_distributed

__all__ = ["RankedRun", "Ranks", "named", "run_distributed"]
