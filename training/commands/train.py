"""``omninet train``: train a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.commands.process import prepare

if TYPE_CHECKING:
    from training.config import RunConfig

EPILOG = """\
examples:
  omninet train training/configs/smoke.yaml --data DATA --out runs/smoke
  omninet train training/configs/bundled.yaml --data DATA --backbone backbone.safetensors --out runs/bundled
  omninet train CONFIG --data DATA --out OUT --resume --set steps=20000 --set tasks.vqa.batch=32

Ctrl-C and SIGTERM save and stop; --resume goes on from there."""


def add(subparsers: Any) -> None:
    """Add ``train``."""
    parser = subparsers.add_parser(
        "train",
        help="train a checkpoint from a configuration and a data folder",
        description="Train the tasks of a configuration together, one process a task, and write a checkpoint folder.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="YAML file of the run, such as training/configs/bundled.yaml")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets' folders")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: log, states, checkpoint")
    parser.add_argument(
        "--backbone",
        help="weights of the vision backbone: a file, as distill writes it, or 'published' for torchvision's",
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value of the configuration",
    )
    parser.add_argument("--steps", type=int, help="the same as --set steps=N")
    parser.add_argument("--resume", action="store_true", help="go on from the newest state in --out")
    parser.add_argument(
        "--runner",
        choices=("hogwild", "single"),
        default="hogwild",
        help="hogwild: one process a task, none waits (default); single: one process, the same every time",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="worker processes of every task")
    parser.add_argument("--lockstep", action="store_true", help="hogwild with a barrier at every step, for comparison")
    parser.add_argument(
        "--global-device", default="cpu", metavar="DEVICE", help="where the global model lives (default: cpu)"
    )
    parser.add_argument("--threads", type=int, help="CPU threads to compute with, in all")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from model.devices import choose_device
    from training.hogwild import run_hogwild
    from training.interrupt import Interrupt
    from training.run import Run
    from training.setup import set_up
    from training.single import run_single

    prepare(args.threads)
    config = _config(args)
    device = choose_device(args.global_device)
    setup = set_up(config, args.data, args.backbone, args.out)
    workers = sum(task.jobs for task in config.tasks.values())
    how = "One process" if args.runner == "single" else f"Hogwild with {workers} workers"
    with Run(setup, args.out, how, args.resume, device) as training, Interrupt() as stop:
        if args.runner == "single":
            done = run_single(training, stop)
        else:
            done = run_hogwild(training, stop, args.lockstep, args.threads)
        if not done:
            training.watcher.message(f"stopped at step {training.progress.step}; --resume goes on from there")
            return 128 + stop.signal
        print(training.finish())
    return 0


def _config(args: argparse.Namespace) -> RunConfig:
    """The configuration with what the command line changes."""
    from training.config import RunConfig

    changes = list(args.overrides)
    if args.steps is not None:
        changes.append(f"steps={args.steps}")
    config = RunConfig.load(args.config, changes)
    if args.jobs is not None:
        changes += [f"tasks.{task}.jobs={args.jobs}" for task in config.tasks]
    return RunConfig.load(args.config, changes)
