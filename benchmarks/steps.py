"""Time of decoding with this checkout and with another one, in turn, with the bundled model of each.

    git worktree add ../before COMMIT
    python -m benchmarks.steps --before ../before

Each checkout decodes in a process of its own, on one thread, from memories encoded before; the two take turns.
Prints medians in milliseconds, and the median ratio of neighbouring rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve()
WORDS = 12
TOKENS = 20  # of a caption; random pictures would end at once or never


@dataclass(frozen=True)
class Case:
    """Rows of one task that are decoded together.

    Attributes:
        steps: tokens of each row; None leaves the goal of the task as it is.
    """

    task: str
    rows: int
    beams: int
    steps: int | None = TOKENS


CASES: Mapping[str, Case] = {
    "a caption, greedy": Case("caption", 1, 1),
    "a caption, 4 beams": Case("caption", 1, 4),
    "32 captions, greedy": Case("caption", 32, 1),
    f"tags of {WORDS} words": Case("pos", 1, 1, None),
}


def work() -> None:
    """Decode the case that each line of the standard input names, and print the milliseconds."""
    import torch

    from omninet.model.decoding.batch import RunningBatch
    from omninet.model.network.encoding import encode
    from omninet.model.predictor import Predictor
    from omninet.model.rows import Row

    torch.set_num_threads(1)
    predictor = Predictor.load()
    kept = {}
    for line in sys.stdin:
        case = CASES[line.strip()]
        with torch.inference_mode():
            if case not in kept:
                rows: list[Row] = []
                for number in range(case.rows):
                    job = (
                        predictor.sample(case.task, number)
                        if case.steps
                        else predictor.prepare(case.task, text=" ".join(["word"] * WORDS))
                    )
                    rows += job.rows
                if case.steps:
                    goals = [replace(row.goal, beams=case.beams, steps=case.steps, end=None) for row in rows]
                else:
                    goals = [row.goal for row in rows]
                kept[case] = encode(predictor.network, predictor.device, rows), goals
            memory, goals = kept[case]
            started = time.perf_counter()
            running = RunningBatch(predictor.network.cnp, predictor.network.heads)
            running.admit(memory, goals)
            while running:
                running.step()
            print(1e3 * (time.perf_counter() - started), flush=True)


@contextmanager
def worker(checkout: Path) -> Iterator[subprocess.Popen[str]]:
    """Run ``work`` with the package of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE), "--work"]
    with subprocess.Popen(command, env=environment, stdin=-1, stdout=-1, text=True, cwd=checkout) as process:
        try:
            yield process
        finally:
            process.terminate()


def timed(process: subprocess.Popen[str], name: str) -> float:
    """Let a worker decode a case; return the milliseconds."""
    assert process.stdin is not None
    assert process.stdout is not None
    print(name, file=process.stdin, flush=True)
    return float(process.stdout.readline())


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout of the project")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work()
        return
    checkouts = [*([args.before.resolve()] if args.before else []), HERE.parents[1]]
    print(f"{platform.machine()}, {os.cpu_count()} cores, {args.rounds} rounds\n")
    print("| milliseconds | before | now | before / now |\n|---|---|---|---|")
    with ExitStack() as stack:
        workers = [stack.enter_context(worker(checkout)) for checkout in checkouts]
        for name in CASES:
            for process in workers:
                timed(process, name)
            rounds = [[timed(process, name) for process in workers] for _ in range(args.rounds)]
            columns = [f"{statistics.median(column):.1f}" for column in zip(*rounds, strict=True)]
            ratio = f"{statistics.median(first / last for first, *_, last in rounds):.2f}" if args.before else ""
            print("|", " | ".join([name, *([] if args.before else [""]), *columns, ratio]), "|", flush=True)


if __name__ == "__main__":
    main()
