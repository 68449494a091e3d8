"""Environment variables that torchrun sets for the processes it starts."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Launch:
    """Position of this process in a torchrun job; without torchrun, it is the only process.

    Attributes:
        rank, ranks: rank of this process, and the world size.
        local_rank, local_ranks: rank on this machine, and number of ranks on this machine.
        restarts: times that torchrun has restarted the ranks.
        job: torchrun's run id, or an id of the torchrun process where that is unset; stable across restarts.
    """

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    local_ranks: int = 1
    restarts: int = 0
    job: str = ""

    @classmethod
    def read(cls) -> Launch:
        """Read the environment of this process."""
        job = os.environ.get("TORCHELASTIC_RUN_ID", "")
        return cls(
            rank=int(os.environ.get("RANK", "0")),
            ranks=int(os.environ.get("WORLD_SIZE", "1")),
            local_rank=int(os.environ.get("LOCAL_RANK", "0")),
            local_ranks=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
            restarts=int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
            job=_agent() if job == "none" else job,
        )

    @property
    def turn(self) -> int:
        """Return 0 on rank 0, 1 on the first rank of each other machine, and 2 on the remaining ranks."""
        if self.rank == 0:
            return 0
        return 1 if self.local_rank == 0 else 2


def _agent() -> str:
    """Return a unique id of the torchrun process that started this one: host name, process id and start time."""
    pid = os.getppid()
    started = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    return f"{socket.gethostname()}:{pid}:{started}"
