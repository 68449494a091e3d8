"""``omninet export``: write a network for another runtime."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "export",
        help="write a checkpoint's network as ONNX graphs",
        description="Writes the backbone, the encoder, the decoder's step, and the embeddings and the classifier of "
        "each task as ONNX graphs, with a manifest.json. docs/onnx.md shows how to decode with them.",
        epilog="example: omninet export --onnx graphs",
    )
    parser.add_argument("checkpoint", type=Path, nargs="?", help="checkpoint folder; default: the bundled checkpoint")
    parser.add_argument("--onnx", type=Path, required=True, metavar="FOLDER", help="new folder to write to")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the graphs; return the exit code.

    Raises:
        CheckpointError: the folder is not a valid checkpoint, or its network cannot be exported.
        OmniNetError: the folder to write to has files, or packages are missing.
    """
    from omninet.model.checkpoint import BUNDLED, load
    from omninet.model.export.onnx import export

    written = export(load(args.checkpoint or BUNDLED), args.onnx)
    print(f"{len(written['graphs'])} graphs of {written['name']} {written['version']} in {args.onnx}")
    return 0
