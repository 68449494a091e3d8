"""``omninet distill``: fit a small backbone to a large one."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from training.commands.process import add_overrides, prepare

DESCRIPTION = """\
Fit a small vision backbone to the feature maps of a large one, any of torchvision's classifiers that has such maps, on
pictures without labels. The first call packs the pictures into --out; the last step writes --out/backbone.safetensors,
which `omninet train --backbone` takes, and --out/agreement.json, which says how well it sees what its teacher sees."""

EPILOG = """\
examples:
  omninet distill training/configs/distill.yaml --data DATA --weights mobilenet_v2.safetensors --out runs/distill
  omninet distill CONFIG --out OUT --minutes 50
  omninet distill CONFIG --pictures ~/photos --out OUT --set teacher.backbone=resnet152 \\
    --set "teacher.mean=[0.485, 0.456, 0.406]" --set "teacher.std=[0.229, 0.224, 0.225]"

Ctrl-C and SIGTERM save and stop, --minutes too; the same command goes on from there, on another machine as well if
--out is carried to it. Nothing but --minutes, --device, --threads and the folders may change on the way. The mean and
std of a teacher are those it was trained with; the last example has those of torchvision's published weights."""


def add(subparsers: Any) -> None:
    """Add ``distill``."""
    parser = subparsers.add_parser(
        "distill",
        help="train a small vision backbone to see as a large one does",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="YAML file of the distillation: training/configs/distill.yaml")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, help="folder that holds the data sets' folders")
    source.add_argument("--pictures", type=Path, help="folder of pictures, taken instead of the data sets'")
    parser.add_argument(
        "--weights",
        default="published",
        help="of the teacher: a safetensors file with torchvision's names, or 'published' for torchvision's, "
        "which are downloaded once (default: published)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of packed pictures, state and results")
    parser.add_argument("--minutes", type=float, default=math.inf, help="training in this call (default: to the end)")
    add_overrides(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from training.distill.config import DistillConfig
    from training.distill.distil import distil
    from training.interrupt import Stopped

    prepare(args.threads)
    config = DistillConfig.load(args.config, args.overrides)
    sources = {"data": args.data, "pictures": args.pictures}
    try:
        backbone = distil(config, args.out, args.weights, args.device, **sources, minutes=args.minutes)
    except Stopped as stopped:
        return 128 + stopped.signal
    if backbone:
        print(backbone)
    return 0
