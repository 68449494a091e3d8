"""``omninet index``: add pictures to an index and search it, without a server."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omninet.app.search.entries import Hit
    from omninet.app.search.index import Index
    from omninet.app.search.pictures import NewPicture, PictureReader

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".tif", ".tiff", ".gif", ".bmp"}
BATCH = 16  # pictures per batch of the model
READERS = 2  # threads that decode
AHEAD = 4 * BATCH  # decoded pictures that wait for the model
PROGRESS_SECONDS = 2.0
MOST_HITS = 100

EXAMPLES = """examples:
  omninet index add ~/photos                        every picture below a folder; again adds what is new
  omninet index search "two dogs on a beach"
  omninet index search --image photo.jpg --limit 5 --json
  omninet index search "a birthday" --filter '{"year": {"gte": 2020}}'
  omninet index info
  omninet index remove ID
  omninet index export > entries.jsonl"""


def add(subparsers: Any) -> None:
    """Add ``index`` with its subcommands to the command line."""
    parser = subparsers.add_parser(
        "index",
        help="search your pictures",
        description="Keep an index of pictures, and search it by a sentence or by a picture. It keeps vectors, a "
        "caption and a small thumbnail of each, never the picture itself.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    adder = _command(commands, "add", "add every picture below folders", run_add)
    adder.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="folders, or single files")
    adder.add_argument("--read", action="store_true", help="read what is written in them, so that --contains finds it")
    _add_model(adder)
    searcher = _command(commands, "search", "find pictures", run_search)
    searcher.add_argument("text", nargs="?", help="what to look for, in English")
    searcher.add_argument("--image", type=Path, metavar="FILE", help="look for pictures that are like this one")
    searcher.add_argument("--limit", type=int, default=10, help=f"maximum number of hits, 1 to {MOST_HITS}")
    searcher.add_argument("--exit", choices=("fast", "balanced", "best"), default="best", help="which vectors to use")
    searcher.add_argument("--rerank", type=int, default=0, metavar="N", help="sort the first N hits by the task match")
    searcher.add_argument("--filter", default="{}", metavar="JSON", help="conditions on the metadata")
    searcher.add_argument("--entity", default="", help="a name that the text of a picture mentions")
    searcher.add_argument("--contains", default="", metavar="TEXT", help="a part of its text, or words in it")
    searcher.add_argument("--json", action="store_true", help="print one JSON object per hit")
    _add_model(searcher)
    _command(commands, "info", "show what the index holds", run_info)
    remover = _command(commands, "remove", "remove entries, with all that is kept of them", run_remove)
    remover.add_argument("ids", nargs="+", metavar="ID", help="ids of entries")
    _command(commands, "export", "print all entries as JSON lines", run_export)
    rebuilder = _command(commands, "rebuild", "make all vectors anew, with another model", run_rebuild)
    _add_model(rebuilder)
    saver = _command(commands, "snapshot", "write a copy of the index to a file, while it is in use", run_snapshot)
    saver.add_argument("file", type=Path, metavar="FILE", help="the new file")
    restorer = _command(commands, "restore", "make an index of a snapshot", run_restore)
    restorer.add_argument("file", type=Path, metavar="FILE", help="a file that snapshot wrote")


def _command(commands: Any, name: str, summary: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    parser.add_argument("--index", type=Path, metavar="FOLDER", help="folder of the index (default: OMNINET_INDEX)")
    parser.set_defaults(run=run)
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="a checkpoint folder (default: the bundled)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")


def run_add(args: argparse.Namespace) -> int:
    """Add pictures; return the exit code: 2 if some could not be added.

    Raises:
        OmniNetError: the index or the model cannot be used, or there is no picture.
    """
    from omninet.model.errors import InputError

    paths = _pictures(args.folders)
    bad: list[tuple[Path, str]] = []
    with _opened(args) as index:
        reader, started, done, count = _reader(args), time.monotonic(), 0, 0
        shown = started
        for batch in _batched(_new_pictures(index, paths, bad, args.read)):
            added = index.add(reader.read(batch), reader.identity)
            done, count = done + len(batch), count + sum(each.created for each in added)
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown = time.monotonic()
                rate = done / (shown - started)
                print(f"{done + len(bad)} of {len(paths)} pictures, {rate:.0f} a second", file=sys.stderr, flush=True)
        print(f"added {count} pictures, {len(paths) - count - len(bad)} were there; the index has {index.count()}")
    for path, why in bad:
        print(f"omninet: {path}: {why}", file=sys.stderr)
    if bad and len(bad) == len(paths):
        raise InputError("not_an_image", "no file could be added")
    return 2 if bad else 0


def run_search(args: argparse.Namespace) -> int:
    """Print the hits of a search; return the exit code.

    Raises:
        OmniNetError: the search, the index or the model cannot be used.
    """
    from omninet.app.search.searching import SearchRequest, search

    given = SearchRequest(
        text=args.text or "",
        image=args.image.read_bytes() if args.image else None,
        limit=args.limit,
        exit=args.exit,
        rerank=args.rerank,
        filter=args.filter,
        entity=args.entity,
        contains=args.contains,
    )
    given.check()
    with _opened(args) as index:
        hits = search(index, _reader(args) if given.needs_model else None, given)
    for hit, second in hits:
        print(json.dumps(_shown(hit, second), ensure_ascii=False) if args.json else _line(hit, second))
    return 0


def run_info(args: argparse.Namespace) -> int:
    """Print what the index holds; return the exit code."""
    with _opened(args) as index:
        identity = index.identity()
        print(f"entries  {index.count():,}")
        print(f"bytes    {index.size():,}")
        if identity:
            print(f"model    {identity.model[:12]}")
            print(f"vectors  {', '.join(identity.exits)}, {identity.width} numbers each")
    return 0


def run_remove(args: argparse.Namespace) -> int:
    """Remove entries; return the exit code: 2 if one of them is not there."""
    with _opened(args) as index:
        count = index.remove(args.ids)
    print(f"removed {count} of {len(args.ids)}")
    return 0 if count == len(args.ids) else 2


def run_export(args: argparse.Namespace) -> int:
    """Print all entries; return the exit code."""
    with _opened(args) as index:
        for entry in index.entries():
            print(json.dumps(asdict(entry), ensure_ascii=False))
    return 0


def run_rebuild(args: argparse.Namespace) -> int:
    """Make all vectors anew; return the exit code.

    Raises:
        OmniNetError: the index or the model cannot be used.
    """
    from omninet.app.search.rebuilding import rebuild

    def report(done: int, count: int) -> None:
        print(f"{done} of {count} entries", file=sys.stderr, flush=True)

    print(f"rebuilt {rebuild(_folder(args), _reader(args), report)} entries")
    return 0


def run_snapshot(args: argparse.Namespace) -> int:
    """Write a snapshot; return the exit code."""
    with _opened(args) as index:
        index.snapshot(args.file)
    return 0


def run_restore(args: argparse.Namespace) -> int:
    """Restore a snapshot; return the exit code."""
    from omninet.app.search.embedded import restore

    restore(args.file, _folder(args))
    return 0


def _opened(args: argparse.Namespace) -> Any:
    from contextlib import closing

    from omninet.app.search.owner import open_index

    return closing(open_index(_folder(args)))


def _folder(args: argparse.Namespace) -> Path:
    from omninet.app.search.location import VARIABLE, index_folder
    from omninet.model.errors import ConfigError

    folder = args.index or index_folder(os.environ.get(VARIABLE, ""))
    if folder is None:
        raise ConfigError(f"{VARIABLE} is none, which switches the index off; give --index FOLDER")
    return Path(folder)


def _reader(args: argparse.Namespace) -> PictureReader:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from omninet.app.search.pictures import PictureReader
    from omninet.model.predictor import Predictor

    return PictureReader(Predictor.load(args.checkpoint, device=args.device))


def _pictures(folders: Sequence[Path]) -> list[Path]:
    """Return the files to add: single files, and those below folders that have the suffix of a picture."""
    from omninet.model.errors import InputError

    found: list[Path] = []
    for folder in folders:
        if not folder.exists():
            raise InputError("unreadable_file", f"{folder} does not exist")
        below = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        found += below if folder.is_dir() else [folder]
    if not found:
        raise InputError("not_an_image", f"there is no picture in {', '.join(map(str, folders))}")
    return list(dict.fromkeys(path.absolute() for path in found))


def _new_pictures(
    index: Index, paths: Sequence[Path], bad: list[tuple[Path, str]], reads: bool
) -> Iterator[NewPicture]:
    """Decode the files that the index lacks, some ahead in threads; append those that cannot be used to ``bad``."""
    with ThreadPoolExecutor(READERS) as pool:
        waiting = iter(paths)
        futures = [pool.submit(_new_picture, index, path, reads) for path in islice(waiting, AHEAD)]
        while futures:
            found = futures.pop(0).result()
            futures += [pool.submit(_new_picture, index, path, reads) for path in islice(waiting, 1)]
            if isinstance(found, tuple):
                bad.append(found)
            elif found:
                yield found


def _new_picture(index: Index, path: Path, reads: bool) -> NewPicture | tuple[Path, str] | None:
    """Return the picture of a file, the file with what is wrong with it, or None if the index has it."""
    from omninet.app.search.entries import digest_of
    from omninet.app.search.pictures import picture_of
    from omninet.model.errors import InputError

    try:
        data = path.read_bytes()
        return None if index.find(digest_of(data)) else picture_of(data, str(path), reads)
    except (InputError, OSError) as error:
        return path, str(error)


def _batched(pictures: Iterator[NewPicture]) -> Iterator[list[NewPicture]]:
    while batch := list(islice(pictures, BATCH)):
        yield batch


def _shown(hit: Hit, second: float | None) -> dict[str, Any]:
    return {**asdict(hit.entry), "score": hit.score, "rerank_score": second}


def _line(hit: Hit, second: float | None) -> str:
    scores = "  ".join(f"{score:6.3f}" for score in (hit.score, second) if score is not None)
    return "  ".join(part for part in (scores, hit.entry.source or hit.entry.id, hit.entry.caption) if part)
