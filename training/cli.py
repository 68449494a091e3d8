"""The commands that make and measure checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_commands(subparsers: Any) -> None:
    """Add ``train``, ``evaluate`` and ``distill``."""
    _add_train(subparsers)
    _add_evaluate(subparsers)
    _add_distill(subparsers)


def _add_train(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "train",
        help="train a checkpoint from a configuration and a data folder",
        description="Train the tasks of a configuration together and write a checkpoint folder.",
        epilog="example: omninet train training/configs/bundled.yaml --data ../data "
        "--backbone runs/backbone/backbone.safetensors --out runs/bundled",
    )
    parser.add_argument("config", type=Path, help="YAML file of the run, such as training/configs/bundled.yaml")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets' folders")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: log, state, checkpoint")
    parser.add_argument(
        "--backbone",
        help="weights of the vision backbone: a file, as distill writes it, or 'published' for torchvision's",
    )
    parser.add_argument("--steps", type=int, help="steps instead of the configuration's")
    parser.add_argument("--resume", action="store_true", help="go on from the state in --out")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with")
    parser.set_defaults(run=_train)


def _add_evaluate(subparsers: Any) -> None:
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
    parser.set_defaults(run=_evaluate)


def _add_distill(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "distill",
        help="train the compact vision backbone to see as a teacher does",
        description="Fit the compact backbone to the feature maps of a MobileNetV2 on unlabelled pictures. "
        "The run may be cut off at any minute and goes on when it is called again.",
        epilog="example: omninet distill training/configs/bundled.yaml --data ../data "
        "--teacher mobilenet_v2.safetensors --out runs/backbone --minutes 60",
    )
    parser.add_argument("config", type=Path, help="YAML file of the run whose training pictures are used")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets' folders")
    parser.add_argument("--teacher", type=Path, required=True, help="torchvision's mobilenet_v2 as safetensors")
    parser.add_argument("--out", type=Path, required=True, help="folder for views, state and backbone.safetensors")
    parser.add_argument("--minutes", type=float, default=60.0, help="of training, over all calls (default: 60)")
    parser.add_argument("--views", type=int, default=3, help="views of each picture (default: 3)")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with")
    parser.set_defaults(run=_distill)


def _prepare_process(threads: int | None) -> None:
    import logging

    import torch

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if threads:
        torch.set_num_threads(threads)


def _train(args: argparse.Namespace) -> int:
    import torch

    from model.checkpoint import save
    from training.card import write_card
    from training.config import RunConfig
    from training.setup import set_up
    from training.single import run_single

    _prepare_process(args.threads)
    config = RunConfig.load(args.config)
    if args.steps is not None:
        config = config.model_copy(update={"steps": args.steps})
    setup = set_up(config, args.data, args.backbone, args.out)
    progress = run_single(setup, args.out, args.resume)
    folder = args.out / "checkpoint"
    save(setup.checkpoint(write_card(setup, progress)), folder, torch.float16)
    print(folder)
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    from model.checkpoint import BUNDLED
    from model.predictor import Predictor
    from training.config import RunConfig
    from training.evaluate import evaluate, table, write_to_card

    config = RunConfig.load(args.config or Path(__file__).parent / "configs" / "bundled.yaml")
    measures = evaluate(Predictor.load(args.checkpoint), config, args.data, args.limit)
    print(json.dumps([asdict(m) for m in measures], indent=2) if args.json else table(measures))
    if args.card:
        write_to_card(args.checkpoint or BUNDLED, measures, "omninet evaluate --data DATA")
    return 0


def _distill(args: argparse.Namespace) -> int:
    from training.config import RunConfig
    from training.distill import Teacher, prepare_views, train_student
    from training.pictures import training_pictures

    _prepare_process(args.threads)
    pictures = training_pictures(RunConfig.load(args.config), args.data)
    teacher = Teacher.load(args.teacher)
    views = prepare_views(pictures, teacher, args.out / "views", args.views)
    train_student(views, teacher.classifier, args.out, args.minutes)
    print(args.out / "backbone.safetensors")
    return 0
