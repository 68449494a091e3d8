"""What torchrun tells a process that it starts."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Launch:
    """Which of several processes this one is; a process that torchrun has not started is the only one.

    Attributes:
        rank, ranks: its number, and how many there are.
        local_rank, local_ranks: the same on this machine.
        restarts: times that torchrun has started all of them again.
        job: torchrun's name for the job, else torchrun itself; the same after a restart.
    """

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    local_ranks: int = 1
    restarts: int = 0
    job: str = ""

    @classmethod
    def read(cls) -> Launch:
        """That of this process."""
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
        """When it is this one's turn to find or to make files: the first rank, each machine's first, then the rest."""
        if self.rank == 0:
            return 0
        return 1 if self.local_rank == 0 else 2


def _agent() -> str:
    """The torchrun that has started this process, unlike any other: its machine, process and start."""
    pid = os.getppid()
    started = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    return f"{socket.gethostname()}:{pid}:{started}"
