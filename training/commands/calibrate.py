"""``omninet calibrate``: calibrate a checkpoint's probabilities."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from omninet.training.commands.process import prepare

EXAMPLES = """examples:
  omninet calibrate runs/mine/checkpoint --config mine.yaml --data ../data
"""


def add(subparsers: Any) -> None:
    """Add ``calibrate`` to the command line."""
    parser = subparsers.add_parser(
        "calibrate",
        help="calibrate the probabilities and the confidence of a checkpoint",
        description="Fit one temperature per task on the dev splits and fold it into the weights of the task's\n"
        "classifier. The most likely class does not change. Beam search could return other captions, so captions are\n"
        "left out of checkpoints with beam search unless named with --tasks. Then fit the confidence of each task's\n"
        "answers (confidence.json). The results are added to the model card.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint folder; its weights and card are overwritten")
    parser.add_argument(
        "--config", type=Path, help="YAML file of the run that names the data sets; default: bundled.yaml"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets' folders")
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: all whose answers do not change")
    parser.add_argument("--limit", type=int, help="maximum number of examples per task, spread over its data sets")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit code."""
    from dataclasses import replace

    from omninet.model.checkpoint import load
    from omninet.model.predictor import Predictor
    from omninet.training.config import RunConfig
    from omninet.training.evaluate import confidence
    from omninet.training.evaluate.calibration import calibrate, folded, overwrite, section, unaffected_tasks
    from omninet.training.evaluate.devsets import dev_examples
    from omninet.training.evaluate.markdown import with_section

    prepare(args.threads)
    config = RunConfig.load(args.config or Path(__file__).parents[1] / "configs" / "bundled.yaml")
    checkpoint = load(args.checkpoint)
    predictor = Predictor(checkpoint, precision="float32")
    tasks = args.tasks or [task for task in unaffected_tasks(checkpoint.config) if task in config.tasks]
    found = [calibrate(predictor, dev_examples(config, task, args.data, args.limit)) for task in tasks]
    command = repeat(args)
    checkpoint = folded(checkpoint, found, command)
    reports, left_out = confidence.fit_all(Predictor(checkpoint, precision="float32"), config, args.data, args.limit)
    text = confidence.section(reports, command)
    fitted = {report.task: report.confidence for report in reports}
    card = with_section(checkpoint.card, confidence.HEADING, text)
    overwrite(args.checkpoint, replace(checkpoint, card=card, confidences=fitted))
    print("\n".join([section(found, command), text, *left_out.values()]), end="")
    return 0


def repeat(args: argparse.Namespace) -> str:
    """Return the command that reproduces the metrics."""
    words = ["omninet calibrate CHECKPOINT --data DATA"]
    if args.tasks:
        words += ["--tasks", *args.tasks]
    if args.limit:
        words.append(f"--limit {args.limit}")
    return " ".join(words)
