"""``omninet evaluate``: measure a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(subparsers: Any) -> None:
    """Add ``evaluate``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a checkpoint on the dev splits, beside the best constant answer",
        description="Answer every dev example through the path that serving takes, and print the measures as a table.",
        epilog="example: omninet evaluate --data ../data",
    )
    parser.add_argument("checkpoint", type=Path, nargs="?", help="checkpoint folder; default: the bundled one")
    parser.add_argument(
        "--config", type=Path, help="YAML file of the run that names the data sets; default: bundled.yaml"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets' folders")
    parser.add_argument("--limit", type=int, help="examples a task at most")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--card", action="store_true", help="write the table into the checkpoint's MODEL_CARD.md")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code."""
    import json
    from dataclasses import asdict

    from model.checkpoint import BUNDLED
    from model.predictor import Predictor
    from training.config import RunConfig
    from training.evaluate import evaluate, table, write_to_card

    config = RunConfig.load(args.config or Path(__file__).parents[1] / "configs" / "bundled.yaml")
    measures = evaluate(Predictor.load(args.checkpoint), config, args.data, args.limit)
    print(json.dumps([asdict(m) for m in measures], indent=2) if args.json else table(measures))
    if args.card:
        write_to_card(args.checkpoint or BUNDLED, measures, "omninet evaluate --data DATA")
    return 0
