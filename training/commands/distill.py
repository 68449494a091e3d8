"""``omninet distill``: fit a small backbone to larger ones."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from omninet.training.commands.process import add_overrides, prepare

DESCRIPTION = """\
Fit a small vision backbone to the feature maps of larger ones, EfficientNet-Lite0 or any of torchvision's classifiers
that has such maps, and to the classes that the last of them names, on photos. The first call packs the photos; what the
teachers see of a view is computed once and kept beside them. --out/backbone.safetensors, which
`omninet train --backbone` takes, and --out/curve.tsv, which says how well it sees what its teachers see, are written
at every measurement and at the end."""

EPILOG = """\
examples:
  omninet distill training/configs/distill.yaml --data DATA --pictures PHOTOS --classes labels.tsv.gz \\
    --weights mobilenet_v2.safetensors --weights efficientnet_lite0.safetensors --out runs/distill
  omninet distill CONFIG --weights ... --out OUT --minutes 50
  omninet distill CONFIG --pictures ~/photos --exclude test_photos.txt --out OUT

Never used are the dev photos of the data sets, what the configuration or --exclude names, and copies of all of
these, also if they were scaled or encoded again. Ctrl-C and SIGTERM save and stop, --minutes too; the same command
goes on from there, on another machine as well if --out is carried to it (without the packed photos, if it has the same
data). Nothing but steps, cooldown, measured, --minutes, --device, --threads and the folders may change on the way. The
mean and std of a teacher are those it was trained with."""


def add(subparsers: Any) -> None:
    """Add ``distill``."""
    parser = subparsers.add_parser(
        "distill",
        help="train a small vision backbone to see as large ones do",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="YAML file of the distillation: training/configs/distill.yaml")
    parser.add_argument("--data", type=Path, help="folder that holds the data sets' folders")
    parser.add_argument("--pictures", type=Path, help="folder of further photos, each folder in it a collection")
    parser.add_argument("--classes", type=Path, help="their classes: tab-separated folder, path in it, class")
    parser.add_argument(
        "--exclude",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a list of photos that are not used, by name or perceptual hash, or a folder of them; repeatable",
    )
    parser.add_argument(
        "--weights",
        action="append",
        help="of each teacher: a safetensors file with torchvision's names, or 'published' for torchvision's, "
        "which are downloaded once (default: published)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the state and the results")
    parser.add_argument("--packed", type=Path, help="folder of the packed photos and targets (default: --out)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="training in this call (default: to the end)")
    add_overrides(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code."""
    from omninet.training.distill.config import DistillConfig
    from omninet.training.distill.distil import Photos, distil
    from omninet.training.runtime.interrupt import Stopped

    prepare(args.threads)
    config = DistillConfig.load(args.config, args.overrides)
    weights = args.weights or ["published"] * len(config.teachers)
    photos = Photos(args.data, args.pictures, args.classes, args.exclude)
    try:
        backbone = distil(
            config, args.out, weights, args.device, photos=photos, packed=args.packed, minutes=args.minutes
        )
    except Stopped as stopped:
        return 128 + stopped.signal
    if backbone:
        print(backbone)
    return 0
