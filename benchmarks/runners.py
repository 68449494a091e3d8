"""Compare a single process, Hogwild, Hogwild in lockstep and two synchronous ranks, with equal numbers of samples.

    python -m benchmarks.runners training/configs/reproduce.yaml --data DATA --backbone BACKBONE --out runs/runners

Prints a table of steps and samples per second, staleness, and metrics on the dev splits. All runs start from the same
initialisation; runs that are already finished in --out are reused.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from torch.distributed import is_torchelastic_launched

from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.evaluate import evaluate
from omninet.training.train import Options, train
from omninet.training.watch.log import read_log

RUNNERS: dict[str, dict[str, Any]] = {
    "one process": {"runner": "single"},
    "hogwild": {"runner": "hogwild"},
    "hogwild in lockstep": {"runner": "hogwild", "lockstep": True},
    "two ranks": {"runner": "distributed"},
}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
AGAIN = ["-m", "benchmarks.runners", *sys.argv[1:]]
BINS = (0, 1, 2, 3, 4, 8, 16, 32)


def main() -> None:
    """Train and evaluate with each runner."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backbone", required=True, help="as for omninet train")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--limit", type=int, default=300, help="dev examples a task")
    args = parser.parse_args()
    config = RunConfig.load(args.config, [f"steps={args.steps}"])
    if is_torchelastic_launched():
        _train("two ranks", config, args)
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, {args.steps} steps\n")
    print(f"| runner | steps/s | samples/s | waiting for data | staleness, median | {' | '.join(config.tasks)} |")
    print("|---" * (5 + len(config.tasks)) + "|")
    for name, how in RUNNERS.items():
        folder = _folder(name, args)
        if not (folder / "checkpoint").exists():
            if how["runner"] == "distributed":
                subprocess.run([*TORCHRUN, *AGAIN], check=True)  # runs this script again, once per rank
            else:
                _train(name, config, args)
        _report(name, folder, config, args)
    print(f"\nsteps by staleness ({', '.join(f'{a}-' for a in BINS)}):")
    for name in RUNNERS:
        print(f"{name}: {_histogram(_steps(_folder(name, args)))}")


def _folder(name: str, args: argparse.Namespace) -> Path:
    out: Path = args.out
    return out / name.replace(" ", "-")


def _train(name: str, config: RunConfig, args: argparse.Namespace) -> None:
    options = Options(args.data, args.backbone, work=args.out / "work", **RUNNERS[name])
    train(config, _folder(name, args), options)


def _report(name: str, folder: Path, config: RunConfig, args: argparse.Namespace) -> None:
    steps = sorted(_steps(folder), key=lambda e: e["seconds"])
    seconds = steps[-1]["seconds"] - steps[0]["seconds"]
    waiting = sum(e["waiting"] for e in steps) / seconds / (max(e["worker"] for e in steps) + 1)
    measures = evaluate(Predictor.load(folder / "checkpoint"), config, args.data, args.limit)
    figures = " | ".join(f"{m.value:.1f}" for m in measures if m.key == m.task)
    print(
        f"| {name} | {(len(steps) - 1) / seconds:.2f} | {sum(e['samples'] for e in steps[1:]) / seconds:.0f} "
        f"| {waiting:.1%} | {median(e['staleness'] for e in steps):g} | {figures} |",
        flush=True,
    )


def _steps(folder: Path) -> list[dict[str, Any]]:
    return [entry for entry in read_log(folder / "log.jsonl") if entry["kind"] == "step"]


def _histogram(steps: list[dict[str, Any]]) -> str:
    counts = Counter(max(b for b in BINS if b <= e["staleness"]) for e in steps)
    return ", ".join(str(counts[b]) for b in BINS)


if __name__ == "__main__":
    main()
