"""``omninet evaluate``: measure a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = """examples:
  omninet evaluate --data ../data
  omninet evaluate runs/mine/checkpoint --config mine.yaml --data ../data --out report --zero-shot
"""


def add(subparsers: Any) -> None:
    """Add ``evaluate``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a checkpoint on the dev splits, beside the best constant answer",
        description="Answer every example through the path that serving takes, and print the measures as tables.\n"
        "Where there is Java, captions are measured by COCO's tokeniser and METEOR as well.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, nargs="?", help="checkpoint folder; default: the bundled one")
    parser.add_argument(
        "--config", type=Path, help="YAML file of the run that names the data sets; default: bundled.yaml"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets' folders")
    parser.add_argument("--limit", type=_positive, help="examples a task at most, spread over the data set")
    parser.add_argument("--split", choices=("dev", "test"), default="dev", help="default: dev")
    parser.add_argument(
        "--out", type=Path, help="folder for report.json, table.md, results/ (for evaluation servers) and plots/"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--card", action="store_true", help="write the tables into the checkpoint's MODEL_CARD.md")
    parser.add_argument(
        "--zero-shot", action="store_true", help="also photos set in motion, and captions of clips by class"
    )
    parser.set_defaults(run=run)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from model.checkpoint import BUNDLED
    from model.predictor import Predictor
    from training.config import RunConfig
    from training.evaluate.answering import answer_data
    from training.evaluate.measures import measure
    from training.evaluate.output import write_report
    from training.evaluate.report import Report, write_to_card
    from training.evaluate.zero_shot import zero_shot

    config = RunConfig.load(args.config or Path(__file__).parents[1] / "configs" / "bundled.yaml")
    folder = args.checkpoint or BUNDLED
    predictor = Predictor.load(folder)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)  # before minutes are spent on answers
    answered = list(answer_data(predictor, config, args.data, args.limit, args.split))
    report = Report(
        predictor.name,
        predictor.version,
        predictor.digest,
        args.split,
        tuple(measure(given, official=True) for given in answered),
        zero_shot(predictor, answered) if args.zero_shot else None,
    )
    print(report.to_json() if args.json else report.to_markdown())
    if args.out:
        write_report(args.out, report, answered, _log(folder))
    if args.card:
        write_to_card(folder, report, repeat(args))
    return 0


def _log(checkpoint: Path) -> Path | None:
    """The log of the run that the checkpoint lies in, if it does."""
    logs = (parent / "log.jsonl" for parent in checkpoint.resolve().parents[:2])
    return next((log for log in logs if log.is_file()), None)


def repeat(args: argparse.Namespace) -> str:
    """What to call to repeat the figures."""
    words = ["omninet evaluate --data DATA"]
    if args.split != "dev":
        words.append(f"--split {args.split}")
    if args.limit:
        words.append(f"--limit {args.limit}")
    if args.zero_shot:
        words.append("--zero-shot")
    return " ".join(words)
