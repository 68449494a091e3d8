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

Ctrl-C and SIGTERM save and stop; --resume goes on from there, with the same configuration: a change that would have
done otherwise what is done is refused. Steps may change until the learning rate falls; devices, jobs, and how often
to save and to measure, at any time."""


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
        help="weights of the vision backbone, which stays frozen: a file, as distill writes it, 'published' for "
        "torchvision's, or 'random'; a resumed run goes on with its own",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="CHECKPOINT",
        help="start with another checkpoint's subwords and weights, found by name, and without --backbone its backbone",
    )
    add_overrides(parser)
    parser.add_argument("--steps", type=int, help="the same as --set steps=N")
    parser.add_argument("--resume", action="store_true", help="go on from the newest state in --out")
    parser.add_argument(
        "--runner",
        choices=("hogwild", "single", "distributed"),
        default="hogwild",
        help="hogwild: one process a task, none waits (default); single: one process, the same every time; "
        "distributed: single's steps, each shared out among the ranks of torchrun",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="worker processes of every task")
    parser.add_argument("--lockstep", action="store_true", help="hogwild with a barrier at every step, for comparison")
    parser.add_argument(
        "--global-device", default="cpu", metavar="DEVICE", help="where the global model lives (default: cpu)"
    )
    parser.add_argument("--threads", type=int, help="CPU threads to compute with, in all on this machine")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code."""
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
    """Hold that no option of Hogwild's workers is given to ranks, and no other start to a run that goes on."""
    from omninet.model.errors import ConfigError

    if args.resume and args.start:
        raise ConfigError(
            "--from: a resumed run goes on with its own weights and subwords; leave out --from or --resume"
        )
    elsewhere = args.global_device != "cpu"
    given = {"--jobs": args.jobs is not None, "--lockstep": args.lockstep, "--global-device": elsewhere}
    if args.runner == "distributed" and any(given.values()):
        wrong = ", ".join(name for name, is_given in given.items() if is_given)
        raise ConfigError(f"{wrong}: for --runner hogwild; of distributed ranks torchrun says how many there are")


def _config(args: argparse.Namespace) -> RunConfig:
    """The configuration with what the command line changes."""
    from omninet.training.config import RunConfig

    changes = list(args.overrides)
    if args.steps is not None:
        changes.append(f"steps={args.steps}")
    config = RunConfig.load(args.config, changes)
    if args.jobs is not None:
        changes += [f"tasks.{task}.jobs={args.jobs}" for task in config.tasks]
    return RunConfig.load(args.config, changes)
