"""``omninet train``: train a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omninet.training.commands.process import add_overrides, prepare

if TYPE_CHECKING:
    from omninet.training.config import RunConfig

EPILOG = """\
examples:
  omninet train training/configs/smoke.yaml --data DATA --backbone random --out runs/smoke
  omninet train training/configs/bundled.yaml --data DATA --backbone backbone.safetensors --out runs/bundled
  omninet train CONFIG --data DATA --backbone FILE --out OUT --set tasks.vqa.batch=32 --jobs 2
  omninet train CONFIG --data DATA --out OUT --set tasks.vqa.batch=32 --resume --set steps=20000
  torchrun --nproc-per-node 2 -m omninet train CONFIG --runner distributed --data DATA --backbone FILE --out OUT

Ctrl-C and SIGTERM save and stop; --resume continues with the same configuration and refuses changes that would have
altered finished steps. The number of steps may change until the learning rate falls; devices, jobs, and the intervals
of saving and evaluation may change at any time."""


def add(subparsers: Any) -> None:
    """Add ``train`` to the command line."""
    parser = subparsers.add_parser(
        "train",
        help="train a checkpoint from a configuration and a data folder",
        description="Train the tasks of a configuration together, with a process per task, and write a checkpoint.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="YAML file of the run, such as training/configs/bundled.yaml")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets' folders")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: log, states, checkpoint")
    parser.add_argument(
        "--backbone",
        help="weights of the frozen vision backbone: a file as distill writes it, 'published' for torchvision's "
        "weights, or 'random'; a resumed run uses its own",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="CHECKPOINT",
        help="initialise subwords, weights (by name) and, without --backbone, the backbone from another checkpoint",
    )
    add_overrides(parser)
    parser.add_argument("--steps", type=int, help="short for --set steps=N")
    parser.add_argument("--resume", action="store_true", help="continue from the newest state in --out")
    parser.add_argument(
        "--runner",
        choices=("hogwild", "single", "distributed"),
        default="hogwild",
        help="hogwild: a process per task, without synchronisation (default); single: one process, deterministic; "
        "distributed: the steps of single, with each batch divided among the ranks of torchrun",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="worker processes of every task")
    parser.add_argument("--lockstep", action="store_true", help="hogwild with a barrier after every step, to compare")
    parser.add_argument(
        "--global-device", default="cpu", metavar="DEVICE", help="device of the global model (default: cpu)"
    )
    parser.add_argument("--threads", type=int, help="total number of CPU threads on this machine")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit code."""
    from omninet.training.runtime.interrupt import Stopped
    from omninet.training.runtime.launch import Launch
    from omninet.training.train import Options, train

    _check(args)
    prepare(args.threads)
    options = Options(
        data=args.data,
        backbone=args.backbone,
        runner=args.runner,
        lockstep=args.lockstep,
        resume=args.resume,
        threads=args.threads,
        global_device=args.global_device,
        start=args.start,
    )
    try:
        checkpoint = train(_config(args), args.out, options)
    except Stopped as stopped:
        return 128 + stopped.signal
    if Launch.read().rank == 0:
        print(checkpoint)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Check combinations of options.

    Raises:
        ConfigError: --from with --resume, or an option of the Hogwild runner with another runner.
    """
    from omninet.model.errors import ConfigError

    if args.resume and args.start:
        raise ConfigError(
            "--from cannot be used with --resume: a resumed run keeps its weights and subwords; leave out one of them"
        )
    elsewhere = args.global_device != "cpu"
    given = {"--jobs": args.jobs is not None, "--lockstep": args.lockstep, "--global-device": elsewhere}
    if args.runner == "distributed" and any(given.values()):
        wrong = ", ".join(name for name, is_given in given.items() if is_given)
        raise ConfigError(f"{wrong}: only for --runner hogwild; torchrun sets the number of distributed ranks")


def _config(args: argparse.Namespace) -> RunConfig:
    """Load the configuration with the command line's overrides."""
    from omninet.training.config import RunConfig

    changes = list(args.overrides)
    if args.steps is not None:
        changes.append(f"steps={args.steps}")
    config = RunConfig.load(args.config, changes)
    if args.jobs is not None:
        changes += [f"tasks.{task}.jobs={args.jobs}" for task in config.tasks]
    return RunConfig.load(args.config, changes)
