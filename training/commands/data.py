"""``omninet data``: look after data sets."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omninet.training.data import DataSet


def add(subparsers: Any) -> None:
    """Add ``data`` with its one command, ``check``."""
    parser = subparsers.add_parser("data", help="look after data sets")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    checker = commands.add_parser(
        "check",
        help="read every split of data sets and decode every file",
        description="Read every split, decode every picture and clip, and print what there is as a table. "
        "Give a configuration and --data for all data sets of a run, or --dataset for one.",
        epilog="example: omninet data check training/configs/bundled.yaml --data ../data; "
        "omninet data check --dataset coco ../data/coco",
    )
    checker.add_argument("config", type=Path, nargs="?", help="YAML file of a run")
    checker.add_argument("--data", type=Path, help="folder that holds the data sets' folders")
    checker.add_argument("--dataset", nargs=2, metavar=("NAME", "FOLDER"), help="one data set and where it is")
    checker.add_argument("--json", action="store_true", help="print JSON with every bad file instead of a table")
    checker.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code.

    Raises:
        DataError: something is missing or unreadable, which the message counts and names.
    """
    import json
    from dataclasses import asdict

    from omninet.training.data.check import check, refuse, table

    reports = check(_chosen(args))
    print(json.dumps([asdict(r) for r in reports], indent=2) if args.json else table(reports))
    refuse(reports)
    return 0


def _chosen(args: argparse.Namespace) -> dict[str, DataSet]:
    """The data sets, by the task or name that reports call them."""
    from omninet.training.config import RunConfig
    from omninet.training.data import DATASETS, DataError

    if args.dataset and not (args.config or args.data):
        name, folder = args.dataset
        if name not in DATASETS:
            raise DataError(f"unknown data set {name!r}; known are {', '.join(DATASETS)}")
        return {name: DATASETS[name](Path(folder))}
    if args.config and args.data and not args.dataset:
        config = RunConfig.load(args.config)
        return {
            f"{task}/{config.title(source)}" if number else task: source.data_set(args.data)
            for task, run in config.tasks.items()
            for number, source in enumerate(run.sources)
        }
    raise DataError("name either a configuration and its --data folder, or --dataset NAME FOLDER")
