"""Facts about the machine, or the container, that this process runs on."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

CPU_INFO, MEMORY_INFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def cpu_name(source: Path = CPU_INFO) -> str:
    """Return the model name of the processor, or its architecture if the system does not tell the name."""
    with suppress(OSError):
        for line in source.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def memory(source: Path = MEMORY_INFO, cgroup: Path = CGROUP) -> tuple[int, int]:
    """Return the total and the available memory in bytes, within the limit of the container if there is one."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    total = available = pages * size
    with suppress(OSError, StopIteration):
        lines = source.read_text(encoding="utf-8").splitlines()
        available = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    # Without a limit memory.max contains "max"; without cgroup v2 the files do not exist.
    with suppress(OSError, ValueError):
        limit, used = (int((cgroup / name).read_text()) for name in ("memory.max", "memory.current"))
        total, available = min(total, limit), min(available, max(0, limit - used))
    return total, available
