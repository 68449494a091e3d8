"""Photos and clips that a distillation reads: training splits of data sets, and folders with or without classes."""

from __future__ import annotations

import csv
import gzip
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from omninet.training.data import DATASETS, DataError
from omninet.training.distill.config import Folder

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}
UNLABELLED = {"", "-"}


@dataclass(frozen=True)
class PictureSource:
    """A photo or a clip on disk.

    Attributes:
        collection: name of the data set or subfolder.
        name: path inside the collection.
        label: class, empty if unknown.
        clip: whether it is a video.
    """

    collection: str
    name: str
    path: Path
    label: str = ""
    clip: bool = False


def of_datasets(datasets: Mapping[str, str], data: Path) -> list[PictureSource]:
    """List training photos and clips of data sets, name -> folder inside ``data``, without those also in dev."""
    held_back = {source.path for source in dev_of_datasets(datasets, data)}
    return [source for source in _media(datasets, data, "train") if source.path not in held_back]


def dev_of_datasets(datasets: Mapping[str, str], data: Path) -> list[PictureSource]:
    """List dev photos and clips of data sets, name -> folder inside ``data``."""
    return _media(datasets, data, "dev")


def of_lists(folders: Mapping[str, Folder], data: Path) -> list[PictureSource]:
    """List the photos of configured folders inside ``data``; a folder may have a list that selects some of them."""
    return [source for name, folder in folders.items() for source in _of_list(name, folder, data)]


def of_folder(folder: Path, classes: Mapping[tuple[str, str], str] | None = None) -> list[PictureSource]:
    """List every photo below a folder; each subfolder is a collection.

    Args:
        classes: (collection, name) -> class.

    Raises:
        DataError: the folder holds no photo.
    """
    sources = []
    for path in _photos(folder):
        parts = path.relative_to(folder).parts
        collection = parts[0] if len(parts) > 1 else folder.name
        name = "/".join(parts[1:]) or parts[0]
        label = (classes or {}).get((collection, name), "")
        sources.append(PictureSource(collection, name, path, label))
    return sources


def read_classes(path: Path) -> dict[tuple[str, str], str]:
    """Read a tab-separated list of classes, optionally compressed with gzip: folder, path inside it, class.

    The first line is a header; further columns are ignored. A class of ``-`` means none. The first ``/`` in a folder
    name, as in ``owner/name``, is a ``+`` on disk.

    Raises:
        DataError: the file cannot be read or has another format.
    """
    return {place: label for place, label in _rows(path, "class", "classes") if label not in UNLABELLED}


def read_captions(path: Path) -> dict[tuple[str, str], list[str]]:
    """Read a tab-separated list of captions in the format of ``read_classes``; a photo may have several lines.

    Returns:
        (collection, name) -> captions.

    Raises:
        DataError: the file cannot be read or has another format.
    """
    captions: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for place, caption in _rows(path, "caption", "captions"):
        captions[place].append(caption)
    return dict(captions)


def _rows(path: Path, what: str, many: str) -> list[tuple[tuple[str, str], str]]:
    """Return the rows of a list as ((collection, name), value)."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="") as file:
            rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            next(rows)
            return [((row[0].replace("/", "+", 1), row[1]), row[2]) for row in rows]
    except (OSError, StopIteration, UnicodeDecodeError, IndexError) as error:
        raise DataError(f"{path} is no list of {many} (header, then tab-separated folder, path, {what})") from error


def subsample(sources: Sequence[PictureSource], most: int | None, seed: int) -> list[PictureSource]:
    """Keep at most ``most`` sources per class of a collection, drawn at random, in the original order; None keeps all.

    Sources without a class are always kept.
    """
    if most is None:
        return list(sources)
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for i, source in enumerate(sources):
        groups[source.collection, source.label].append(i)
    draw = random.Random(seed)
    kept: set[int] = set()
    for (_, label), members in groups.items():
        kept.update(draw.sample(members, min(most, len(members))) if label else members)
    return [sources[i] for i in sorted(kept)]


def _of_list(name: str, folder: Folder, data: Path) -> list[PictureSource]:
    home = data / folder.folder
    if folder.list is None:
        return [PictureSource(name, path.name, path) for path in _photos(home)]
    try:
        lines = (data / folder.list).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{data / folder.list} is no list of the photos in {home}: {error}") from error
    return [PictureSource(name, line.strip(), home / line.strip()) for line in lines if line.strip()]


def _photos(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise DataError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return found


def _media(datasets: Mapping[str, str], data: Path, split: str) -> list[PictureSource]:
    found: dict[Path, PictureSource] = {}
    for name, folder in datasets.items():
        for example in DATASETS[name](data / folder).read(split):
            for path in example.media:
                found.setdefault(path, PictureSource(name, path.name, path, clip=path == example.video))
    return list(found.values())
