"""``omninet average``: average a checkpoint with the one from which its training began."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(subparsers: Any) -> None:
    """Add ``average`` to the command line."""
    parser = subparsers.add_parser(
        "average",
        help="average a checkpoint with the one from which its training began",
        description="Write the second checkpoint with weights between those of both (WiSE-FT): it keeps more of what "
        "the first one knew. Weights that only the second one has stay as they are. The calibration is left out.",
        epilog="example: omninet average model/bundled runs/next/checkpoint runs/next/averaged --share 0.7",
    )
    parser.add_argument("first", type=Path, help="checkpoint from which the training of the second one began")
    parser.add_argument("second", type=Path, help="checkpoint with the tasks and vocabularies of the result")
    parser.add_argument("out", type=Path, help="folder of the result")
    parser.add_argument("--share", type=float, default=0.5, help="share of the second one's weights (default: 0.5)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit code."""
    import torch

    from omninet.model.checkpoint import load, save
    from omninet.training.average import average
    from omninet.training.backbone import backbone_files

    found, alone = average(load(args.first), load(args.second), args.share)
    save(found, args.out, torch.float16, backbone_files(found.network))
    print(f"{args.out}: {args.share:.0%} of {args.second}; {alone} tensors are the second one's alone")
    return 0
