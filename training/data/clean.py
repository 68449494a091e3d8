"""Clean training sets: the list of training photos to leave out, kept in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from omninet.training.data.base import DataSet, Example
from omninet.training.data.json_files import malformed, read_json
from omninet.training.data.leaks import Leak, find_leaks, held_back_photos, photos_of, training_photos

KIND = "list of photos to leave out"


def kept_leaks(sets: Sequence[DataSet], work: Path) -> dict[Path, Leak]:
    """Return ``find_leaks``, which is computed once and kept in ``leaks-<key>.json`` in the folder ``work``.

    The key changes with the data sets' photos: their paths, sizes and times.
    """
    target = work / f"leaks-{_key(sets)}.json"
    if not target.exists():
        write_leaks(find_leaks(sets), target)
    return read_leaks(target)


def write_leaks(leaks: Mapping[Path, Leak], target: Path) -> None:
    """Write a JSON list of ``{"photo": ..., "held_back": ..., "by": "name" or "look"}``."""
    records = [{"photo": str(leak.path), "held_back": str(leak.held_back), "by": leak.by} for leak in leaks.values()]
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_text(json.dumps(records, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(target)


def read_leaks(path: Path) -> dict[Path, Leak]:
    """Read what ``write_leaks`` has written.

    Raises:
        DataError: the file is malformed.
    """
    records = read_json(path, KIND)
    with malformed(path, KIND):
        found = (Leak(Path(r["photo"]), Path(r["held_back"]), r["by"]) for r in records)
        return {leak.path: leak for leak in found}


def without(examples: Sequence[Example], leaks: Mapping[Path, Leak]) -> Sequence[Example]:
    """Return the examples that show none of the photos."""
    return [example for example in examples if not any(path in leaks for path in example.media)]


def clean_table(sets: Mapping[str, DataSet], leaks: Mapping[Path, Leak]) -> str:
    """Return a Markdown table of the training photos of each data set."""
    lines = ["| data | training photos | left out by name | left out by look |", "|---|---|---|---|"]
    for name, dataset in sets.items():
        photos = photos_of(dataset, "train")
        by = [leaks[path].by for path in photos if path in leaks]
        lines.append(f"| {name} | {len(photos)} | {by.count('name')} | {by.count('look')} |")
    return "\n".join(lines) + "\n"


def _key(sets: Sequence[DataSet]) -> str:
    digest = hashlib.sha256()
    for photos in (training_photos(sets), held_back_photos(sets)):
        for path, is_drawn in photos.items():
            file = path.stat() if path.exists() else None
            digest.update(f"{path} {is_drawn} {file and file.st_size} {file and file.st_mtime_ns}\n".encode())
        digest.update(b"\n")
    return digest.hexdigest()[:16]
