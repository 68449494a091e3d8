"""``omninet calibrate``: make a checkpoint's probabilities believable."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from omninet.training.commands.process import prepare

EXAMPLES = """examples:
  omninet calibrate runs/mine/checkpoint --config mine.yaml --data ../data
"""


def add(subparsers: Any) -> None:
    """Add ``calibrate``."""
    parser = subparsers.add_parser(
        "calibrate",
        help="fit the probabilities of a checkpoint to how often it is right",
        description="Fit one temperature a task on the dev splits and write it into the checkpoint: into the weights\n"
        "of each task's classifier, and into the card. The likeliest class stays the likeliest. A search with several\n"
        "beams would choose other captions, so captions are left out where the checkpoint has one, unless asked for.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint folder, which is written anew")
    parser.add_argument(
        "--config", type=Path, help="YAML file of the run that names the data sets; default: bundled.yaml"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets' folders")
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: all whose answers stay the same")
    parser.add_argument("--limit", type=int, help="examples a task at most, spread over its data sets")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from omninet.model.checkpoint import load
    from omninet.model.predictor import Predictor
    from omninet.training.config import RunConfig
    from omninet.training.evaluate.calibration import calibrate, section, unchanging, write
    from omninet.training.evaluate.devsets import dev_examples

    prepare(args.threads)
    config = RunConfig.load(args.config or Path(__file__).parents[1] / "configs" / "bundled.yaml")
    checkpoint = load(args.checkpoint)
    predictor = Predictor(checkpoint, precision="float32")
    tasks = args.tasks or [task for task in unchanging(checkpoint.config) if task in config.tasks]
    found = [calibrate(predictor, dev_examples(config, task, args.data, args.limit)) for task in tasks]
    command = repeat(args)
    write(args.checkpoint, checkpoint, found, command)
    print(section(found, command), end="")
    return 0


def repeat(args: argparse.Namespace) -> str:
    """What to call to repeat the figures."""
    words = ["omninet calibrate CHECKPOINT --data DATA"]
    if args.tasks:
        words += ["--tasks", *args.tasks]
    if args.limit:
        words.append(f"--limit {args.limit}")
    return " ".join(words)
