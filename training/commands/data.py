"""``omninet data``: inspect and make data sets."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omninet.training.data import DataSet


def add(subparsers: Any) -> None:
    """Add ``data`` with its subcommands ``check``, ``clean``, ``label`` and ``shapes`` to the command line."""
    parser = subparsers.add_parser("data", help="inspect and make data sets")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_check(commands)
    _add_clean(commands)
    _add_label(commands)
    _add_shapes(commands)


def _add_check(commands: Any) -> None:
    checker = commands.add_parser(
        "check",
        help="read every split of data sets and decode every file",
        description="Read every split, decode every picture and clip, and print a table of what was found. "
        "Give a configuration and --data for all data sets of a run, or --dataset for a single one.",
        epilog="example: omninet data check training/configs/bundled.yaml --data ../data; "
        "omninet data check --dataset coco ../data/coco",
    )
    _add_sets(checker)
    checker.add_argument("--json", action="store_true", help="print JSON with every problem instead of a table")
    checker.set_defaults(run=run_check)


def _add_clean(commands: Any) -> None:
    cleaner = commands.add_parser(
        "clean",
        help="find training photos that are also in a dev or test set",
        description="Compare the training photos of all data sets of a run with the photos of all their dev and test "
        "sets, by photo id and by perceptual hash, and print how many are the same. A run with 'clean: true' in its "
        "configuration leaves them out of training.",
        epilog="example: omninet data clean training/configs/bundled.yaml --data ../data --list leaks.json",
    )
    _add_sets(cleaner)
    cleaner.add_argument("--list", type=Path, metavar="FILE", help="write the photos to a JSON file")
    cleaner.set_defaults(run=run_clean)


def _add_label(commands: Any) -> None:
    labeller = commands.add_parser(
        "label",
        help="write a data set of the photos of a distillation",
        description="Write some of the packed photos of 'omninet distill' with the class of their source and the "
        "likeliest of the 1,000 classes of the last teacher, for the data sets imagenet, thing_captions and "
        "thing_questions.",
        epilog="example: omninet data label training/configs/distill.yaml runs/distill data/labelled --most 60",
    )
    labeller.add_argument("config", type=Path, help="YAML file of the distillation")
    labeller.add_argument("packed", type=Path, help="folder of its packed photos and teacher outputs")
    labeller.add_argument("out", type=Path, help="folder of the data set")
    labeller.add_argument("--most", type=int, default=60, help="maximum number of photos of a class (default: 60)")
    labeller.add_argument("--captions", type=Path, help="captions by people: tab-separated folder, path in it, caption")
    labeller.set_defaults(run=run_label)


def _add_shapes(commands: Any) -> None:
    drawer = commands.add_parser(
        "shapes",
        help="draw boxes of shapes with statements about them, like those of NLVR",
        description="Draw pictures of three boxes with shapes, and make statements about them by rules: each is true "
        "of one picture and false of another. The data set nlvr reads the folder.",
        epilog="example: omninet data shapes data/drawn_shapes --pictures 8000 --without data/nlvr",
    )
    drawer.add_argument("out", type=Path, help="folder of the data set")
    drawer.add_argument("--pictures", type=int, default=8000, help="number of training pictures (default: 8000)")
    drawer.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    drawer.add_argument("--without", type=Path, help="folder of NLVR: no sentence of its dev split is made")
    drawer.set_defaults(run=run_shapes)


def _add_sets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, nargs="?", help="YAML file of a run")
    parser.add_argument("--data", type=Path, help="folder that holds the data sets' folders")
    parser.add_argument("--dataset", nargs=2, metavar=("NAME", "FOLDER"), help="a single data set and its folder")


def run_check(args: argparse.Namespace) -> int:
    """Run ``data check``; return the exit code.

    Raises:
        DataError: files are missing or unreadable; the message counts and names them.
    """
    import json
    from dataclasses import asdict

    from omninet.training.data.check import check, refuse, table

    reports = check(_chosen(args))
    print(json.dumps([asdict(r) for r in reports], indent=2) if args.json else table(reports))
    refuse(reports)
    return 0


def run_clean(args: argparse.Namespace) -> int:
    """Run ``data clean``; return the exit code.

    Raises:
        DataError: a data set cannot be read.
    """
    from omninet.training.data.clean import clean_table, write_leaks
    from omninet.training.data.leaks import find_leaks

    sets = _chosen(args)
    leaks = find_leaks(sets.values())
    if args.list:
        write_leaks(leaks, args.list)
    print(clean_table(sets, leaks))
    return 0


def run_label(args: argparse.Namespace) -> int:
    """Run ``data label``; return the exit code.

    Raises:
        DataError: the packed photos, the teacher's outputs or the captions cannot be read.
    """
    from torchvision.models import EfficientNet_B0_Weights

    from omninet.training.distill.config import DistillConfig
    from omninet.training.distill.labelled import write_labelled
    from omninet.training.distill.sources import read_captions

    names = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
    held_back = DistillConfig.load(args.config).pictures.held_back
    captions = read_captions(args.captions) if args.captions else None
    for split, count in write_labelled(args.packed, args.out, names, args.most, held_back, captions).items():
        print(f"{split}: {count} photos")
    return 0


def run_shapes(args: argparse.Namespace) -> int:
    """Run ``data shapes``; return the exit code.

    Raises:
        DataError: there are too few pictures, or NLVR cannot be read.
    """
    from omninet.training.data.drawn_shapes import write_shapes
    from omninet.training.data.nlvr import Nlvr

    dev = Nlvr(args.without).read("dev") if args.without else ()
    without = [example.inputs["statement"] for example in dev]
    for split, count in write_shapes(args.out, args.pictures, args.seed, without).items():
        print(f"{split}: {count} statements")
    return 0


def _chosen(args: argparse.Namespace) -> dict[str, DataSet]:
    """Return the selected data sets by their name in reports."""
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
    raise DataError("give either a configuration and its --data folder, or --dataset NAME FOLDER")
