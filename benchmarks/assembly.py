"""What each task needs of a checkpoint: parameters, bytes to read, memory and time to load (``OMNINET_TASKS``).

    python -m benchmarks.assembly [--checkpoint runs/mine/checkpoint]

Each set of tasks is loaded in a fresh process, several times in turn. Memory is what the process holds beyond that
which imports the same libraries and loads nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from omninet.model import checkpoint as checkpoints
from omninet.model.storage.layout import BUNDLED, skim

TEXT_SIDE = "embed:text"
LOAD = """
import json, sys, time, psutil
from pathlib import Path
from omninet.model.predictor import Predictor
from omninet.model.checkpoint import load
import torch
torch.zeros(8, 8) @ torch.zeros(8, 8)
before, started = psutil.Process().memory_full_info().uss, time.perf_counter()
if sys.argv[2]:
    predictor = Predictor(load(Path(sys.argv[1]), sys.argv[2].split(",")), device="cpu", precision="float32")
print(json.dumps([time.perf_counter() - started, psutil.Process().memory_full_info().uss - before]))
"""


def load(folder: Path, tasks: str) -> tuple[float, float]:
    """Return seconds and MB of loading some tasks in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder), tasks], capture_output=True, text=True, check=True, env=os.environ
    )
    seconds, held = json.loads(done.stdout)
    return seconds, held / 1e6


def parameters(folder: Path, tasks: list[str]) -> tuple[int, int]:
    """Return the number of parameters that some tasks need, and the bytes of their tensors in the checkpoint."""
    network = checkpoints.load(folder, tasks).network
    count = sum(tensor.numel() for tensor in network.state_dict().values())
    return count, 2 * count  # checkpoints have 16 bits


def main() -> None:
    """Run the benchmark and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    names = list(skim(args.checkpoint).network.tasks)
    sets = {name: [name] for name in names}
    sets |= {TEXT_SIDE: [TEXT_SIDE]} if "embed" in names else {}
    sets["all"] = names
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sets}
    for _ in range(args.rounds):
        for name, tasks in sets.items():
            taken[name].append(load(args.checkpoint, ",".join(tasks)))
    counts = {name: parameters(args.checkpoint, tasks) for name, tasks in sets.items()}
    print(f"{platform.machine()}, {os.cpu_count()} cores\n")
    print("| tasks | million parameters | MB to read | MB of memory | seconds to load |\n|---|---|---|---|---|")
    for name, each in taken.items():
        count, size = counts[name]
        seconds, held = (statistics.median(column) for column in zip(*each, strict=True))
        print(f"| {name} | {count / 1e6:.1f} | {size / 1e6:.1f} | {held:.0f} | {seconds:.2f} |")
    single = sum(counts[name][0] for name in names)
    share = counts["all"][0] / single
    print(f"\none network of {len(names)} tasks: {counts['all'][0] / 1e6:.1f} million parameters, {share:.1%} of")
    print(f"the {single / 1e6:.1f} million of networks of one task each")


if __name__ == "__main__":
    main()
