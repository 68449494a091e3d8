"""The commands ``omninet import-official`` and ``omninet fetch-official``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from omninet.model.official.releases import CONF, OFFICIAL_TASKS, RELEASES, STORE

DESCRIPTION = """\
Convert weights that were published by the authors of OmniNet (github.com/subho406/OmniNet), or trained with their
code, to a checkpoint folder for `omninet serve --checkpoint`."""


def add(subparsers: Any) -> None:
    """Add both commands."""
    parser = subparsers.add_parser(
        "import-official",
        help="convert the authors' model.pth to a checkpoint folder",
        description=DESCRIPTION,
        epilog="example: omninet import-official model.pth --vocab OmniNet/conf --out runs/official",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("weights", type=Path, help="the authors' model.pth")
    parser.add_argument("--vocab", type=Path, required=True, help="the authors' folder conf, with the vocabularies")
    parser.add_argument(
        "--tasks", nargs="+", choices=OFFICIAL_TASKS, help="tasks that the weights were trained for; default: all"
    )
    _add_common(parser)
    parser.set_defaults(run=_import)

    parser = subparsers.add_parser(
        "fetch-official",
        help="download and import a checkpoint of the authors",
        description="Download weights that the authors of OmniNet published, with their vocabularies, and import them. "
        "Run the same command again to resume an interrupted download.",
        epilog="example: omninet fetch-official all_15k --out runs/official",
    )
    parser.add_argument("release", choices=list(RELEASES), help="all_15k has all tasks, each other release has one")
    parser.add_argument("--downloads", type=Path, help="folder of the downloads; default: OUT-downloads")
    parser.add_argument("--from", dest="store", help="URL with the archives and a folder conf, instead of the authors'")
    _add_common(parser)
    parser.set_defaults(run=_fetch)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument(
        "--tokenizer", type=Path, help="BPEmb's en.wiki.bpe.vs25000.model; default: from BPEmb's cache or download"
    )
    parser.add_argument(
        "--channels",
        choices=("bgr", "rgb"),
        default="bgr",
        help="channel order of the training videos; the authors': bgr",
    )
    parser.add_argument("--name", default="omninet-official", help="name of the model, as shown by /tasks")


def _import(args: argparse.Namespace) -> int:
    return _convert(args, args.weights, args.vocab, tuple(args.tasks or OFFICIAL_TASKS))


def _fetch(args: argparse.Namespace) -> int:
    from omninet.model.official.fetch import fetch, on_terminal

    folder = args.downloads or args.out.with_name(f"{args.out.name}-downloads")
    addresses = (args.store, f"{args.store}/conf") if args.store else (STORE, CONF)
    weights = fetch(RELEASES[args.release], folder, on_terminal, *addresses)
    on_terminal("")
    return _convert(args, weights, folder / "conf", RELEASES[args.release].tasks)


def _convert(args: argparse.Namespace, weights: Path, conf: Path, tasks: Any) -> int:
    from collections import Counter

    from omninet.model.official.fetch import fetch_subwords, on_terminal
    from omninet.model.official.importing import OfficialSource, import_official

    source = OfficialSource(weights, conf, args.tokenizer or fetch_subwords(on_terminal), args.channels, tasks)
    found = import_official(source, args.out, args.name)
    print(f"{len(found.tensors)} entries used, {len(found.dropped)} dropped:")
    for why, count in Counter(found.dropped.values()).items():
        print(f"{count:6} {why}")
    print(f"{args.out} is ready: omninet serve --checkpoint {args.out}")
    return 0
