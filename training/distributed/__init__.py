"""Synchronous data-parallel training on any number of machines, started by torchrun (docs/distributed.md)."""

from omninet.training.distributed.ranks import Ranks, named
from omninet.training.distributed.run import RankedRun, run_distributed

__all__ = ["RankedRun", "Ranks", "named", "run_distributed"]
