"""``omninet train``: train a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.commands.process import prepare


def add(subparsers: Any) -> None:
    """Add ``train``."""
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; the exit code."""
    import torch

    from model.checkpoint import save
    from training.card import write_card
    from training.config import RunConfig
    from training.setup import set_up
    from training.single import run_single

    prepare(args.threads)
    config = RunConfig.load(args.config)
    if args.steps is not None:
        config = config.model_copy(update={"steps": args.steps})
    setup = set_up(config, args.data, args.backbone, args.out)
    progress = run_single(setup, args.out, args.resume)
    folder = args.out / "checkpoint"
    save(setup.checkpoint(write_card(setup, progress)), folder, torch.float16)
    print(folder)
    return 0
