r"""Memory of a media process over many uploads of the same files, and how many of them are answered.

    python -m benchmarks.media_memory clip.mp4 photo.jpg --uploads 500

The files take turns in one sandbox with the limits that the service has by default. Every tenth of the uploads prints
the seconds of one upload (median), and the process's address space above that at its start: now, and at its peak.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from statistics import median

from omninet.app.media.sandbox import Limits, Sandbox
from omninet.app.settings import Settings
from omninet.model.errors import InputError
from omninet.model.modalities.vision import VisionModality
from omninet.model.modalities.vision.config import VisionConfig

MEBI = 2**20


def address_space(pid: int) -> tuple[float, float]:
    """Return the address space of a process and its peak, in MiB."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    sizes = {words[0]: int(words[1]) / 1024 for words in lines if words[0] in {"VmSize:", "VmPeak:"}}
    return sizes["VmSize:"], sizes["VmPeak:"]


def pid_of(sandbox: Sandbox) -> int:
    """Return the id of the sandbox's process."""
    assert sandbox._process is not None
    assert sandbox._process.pid is not None
    return sandbox._process.pid


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--uploads", type=int, default=500)
    parser.add_argument("--form", choices=("image", "video"), default="video")
    arguments = parser.parse_args()
    settings = Settings()
    limits = Limits(settings.media_limits(), settings.media_seconds, settings.media_memory_bytes)
    sandbox = Sandbox({"vision": VisionModality(VisionConfig(backbone="compact"))}, limits)
    sandbox.start()
    base, _ = address_space(pid_of(sandbox))
    files = [path.read_bytes() for path in arguments.files]
    outcomes: Counter[str] = Counter()
    seconds: list[float] = []
    for number in range(1, arguments.uploads + 1):
        started = time.perf_counter()
        try:
            sandbox.decode("vision", arguments.form, files[number % len(files)])
            outcomes["answered"] += 1
        except InputError as error:
            outcomes[error.code] += 1
        seconds.append(time.perf_counter() - started)
        if number % max(arguments.uploads // 10, 1) == 0:
            now, peak = address_space(pid_of(sandbox))
            print(
                f"{number:5d} uploads  {median(seconds):6.3f} s  now {now - base:5.0f} MiB  peak {peak - base:5.0f} MiB"
                f"  processes {sandbox.processes}  {dict(outcomes)}",
                flush=True,
            )
    sandbox.close()


if __name__ == "__main__":
    main()
