"""How many threads the stages of the engine compute with on a CPU."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cpu_threads(wanted: int | None, replicas: int) -> int:
    """Return the number of threads of one stage of a replica on the CPU.

    Args:
        wanted: threads of all replicas together; None for half of ``cores()``.
        replicas: number of replicas on the CPU.
    """
    # Both stages run concurrently. More threads than cores would slow down OpenMP's barriers.
    total = wanted or cores() // 2
    return max(1, total // max(1, replicas))


def cores(quota: Path = CPU_QUOTA) -> int:
    """Return the number of CPU cores that this process may use, by its affinity and its container's quota."""
    found = len(os.sched_getaffinity(0))
    # Without a quota the file contains "max"; without cgroup v2 it does not exist.
    with suppress(OSError, ValueError):
        microseconds, period = map(int, quota.read_text().split())
        found = min(found, math.ceil(microseconds / period))
    return found


def both_threads(threads: int) -> int:
    """Return the number of threads of a stage that has those of the other as well, while that waits for work.

    Args:
        threads: of each stage.
    """
    return max(threads, min(2 * threads, cores()))
