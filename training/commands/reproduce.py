"""``omninet reproduce``: the paper's tables, comparisons of gates and of blocks, the study of 12-in-1."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omninet.training.commands.process import prepare

if TYPE_CHECKING:
    from omninet.training.table import Table


def add(subparsers: Any) -> None:
    """Add ``reproduce`` to the command line."""
    parser = subparsers.add_parser(
        "reproduce",
        help="reproduce the paper's tables and that of 12-in-1, and compare gates and blocks",
        description="table1 trains every task alone, all tasks except activity together, and all tasks together. "
        "table2 evaluates these networks without the link array and without the spatial cache. gates trains all tasks "
        "with each gate, and evaluates them on photos in motion, too. twelve trains every task alone, each group of "
        "tasks, and all tasks together, with and without stop-and-go, and fine-tunes each task from all together "
        "(12-in-1). blocks trains all tasks with experts, convolutions, the mixer, all and none, and tasks with little "
        "data alone (One Model To Learn Them All). Networks that are already trained are reused, and interrupted ones "
        "are resumed.",
        epilog="example: omninet reproduce table1 training/configs/reproduce.yaml --data ../data --out runs/reproduce",
    )
    parser.add_argument("study", choices=("table1", "table2", "gates", "twelve", "blocks"))
    parser.add_argument("config", type=Path, help="YAML file of the run with all tasks")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets' folders")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and the tables")
    parser.add_argument("--backbone", help="weights of the vision backbone, as for train")
    parser.add_argument("--limit", type=int, help="maximum number of dev examples per data set")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=(),
        help="train every network once with each seed; twelve, blocks: three by default",
    )
    parser.add_argument("--runner", choices=("hogwild", "single"), default="hogwild", help="as for train")
    parser.add_argument("--threads", type=int, help="total number of CPU threads")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit code."""
    from dataclasses import replace

    from omninet.training.config import RunConfig
    from omninet.training.evaluate.plots import plot_table
    from omninet.training.reproduce import Blocks, Networks, Study, Twelve
    from omninet.training.runtime.interrupt import Stopped
    from omninet.training.runtime.states import RunStates
    from omninet.training.train import Options, train

    prepare(args.threads)
    config = RunConfig.load(args.config)
    # Fine-tuned networks leave their subwords in the work folder; resumed networks of the tables must not use those.
    work = args.out / (f"work-{args.study}" if args.study in ("twelve", "blocks") else "work")
    options = Options(args.data, args.backbone, runner=args.runner, threads=args.threads, work=work)

    def train_part(part: RunConfig, folder: Path, start: Path | None = None) -> None:
        resume = bool(RunStates(folder).all())
        train(part, folder, replace(options, resume=resume, start=None if resume else start), whole=config)

    def make() -> Table:
        if args.study in ("twelve", "blocks"):
            networks = Networks(args.data, args.out, train_part, args.limit)
            return (Twelve if args.study == "twelve" else Blocks)(config, networks, args.seeds).table()
        study = Study(config, args.data, args.out, train_part, args.limit, args.seeds)
        table: Table = getattr(study, args.study)()
        return table

    try:
        table = make()
    except Stopped as stopped:
        return 128 + stopped.signal
    (args.out / f"{args.study}.md").write_text(table.markdown(), encoding="utf-8")
    plot_table(table, args.out / f"{args.study}.png")
    print(table.markdown(), end="")
    return 0
