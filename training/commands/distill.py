"""``omninet distill``: distill a small backbone from larger ones."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from omninet.training.commands.process import add_overrides, prepare

DESCRIPTION = """\
Train a small vision backbone to reproduce the feature maps of larger ones (EfficientNet-Lite0 or classifiers of
torchvision with feature maps) and the class logits of the last of them, on photos. The first call packs the photos;
teacher outputs are computed once per view and cached next to them. Each evaluation writes
--out/backbone.safetensors, which `omninet train --backbone` takes, and adds a line to --out/curve.tsv with the
agreement between student and teachers."""

EPILOG = """\
examples:
  omninet distill training/configs/distill.yaml --data DATA --pictures PHOTOS --classes labels.tsv.gz \\
    --weights mobilenet_v2.safetensors --weights efficientnet_lite0.safetensors --out runs/distill
  omninet distill CONFIG --weights ... --out OUT --minutes 50
  omninet distill CONFIG --pictures ~/photos --exclude test_photos.txt --out OUT

The dev photos of the data sets, photos excluded by the configuration or --exclude, and copies of all of these are never
used, even if scaled or encoded again. Ctrl-C, SIGTERM and --minutes save and stop; the same command continues,
also on another machine if --out is copied to it (without the packed photos, if it has the same data). Only steps,
cooldown, measured, --minutes, --device, --threads and the folders may change in between. The mean and std of a
teacher must be those it was trained with."""


def add(subparsers: Any) -> None:
    """Add ``distill`` to the command line."""
    parser = subparsers.add_parser(
        "distill",
        help="train a small vision backbone to reproduce the features of large ones",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="YAML file of the distillation: training/configs/distill.yaml")
    parser.add_argument("--data", type=Path, help="folder that holds the data sets' folders")
    parser.add_argument("--pictures", type=Path, help="folder of further photos; each subfolder is a collection")
    parser.add_argument("--classes", type=Path, help="their classes: tab-separated folder, path in it, class")
    parser.add_argument(
        "--exclude",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="photos that must not be used: a list of names or perceptual hashes, or a folder; repeatable",
    )
    parser.add_argument(
        "--weights",
        action="append",
        help="weights of a teacher, once for each: a safetensors file with torchvision's names, or 'published' for "
        "torchvision's weights, downloaded once (default: published)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the state and the results")
    parser.add_argument(
        "--from", dest="start", type=Path, help="initial weights: a backbone.safetensors of distill or of a checkpoint"
    )
    parser.add_argument("--packed", type=Path, help="folder of packed photos and teacher outputs (default: --out)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="maximum training time (default: no limit)")
    add_overrides(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit code."""
    from omninet.training.distill.config import DistillConfig
    from omninet.training.distill.distil import Photos, distil
    from omninet.training.runtime.interrupt import Stopped

    prepare(args.threads)
    config = DistillConfig.load(args.config, args.overrides)
    weights = args.weights or ["published"] * len(config.teachers)
    photos = Photos(args.data, args.pictures, args.classes, args.exclude)
    try:
        backbone = distil(
            config,
            args.out,
            weights,
            args.device,
            photos=photos,
            packed=args.packed,
            minutes=args.minutes,
            start=args.start,
        )
    except Stopped as stopped:
        return 128 + stopped.signal
    if backbone:
        print(backbone)
    return 0
