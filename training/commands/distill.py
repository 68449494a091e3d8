"""``omninet distill``: fit the compact backbone to a teacher."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.commands.process import prepare


def add(subparsers: Any) -> None:
    """Add ``distill``."""
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from training.config import RunConfig
    from training.distill import Teacher, prepare_views, train_student
    from training.pictures import training_pictures

    prepare(args.threads)
    pictures = training_pictures(RunConfig.load(args.config), args.data)
    teacher = Teacher.load(args.teacher)
    views = prepare_views(pictures, teacher, args.out / "views", args.views)
    train_student(views, teacher.classifier, args.out, args.minutes)
    print(args.out / "backbone.safetensors")
    return 0
