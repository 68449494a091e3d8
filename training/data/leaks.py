"""Training photos that are also in a dev or test set: found by photo id, and by perceptual hash."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from omninet.training.data.base import DataSet, MissingError
from omninet.training.data.exclusion import Exclusion, hash_of_file

LOG = logging.getLogger(__name__)
NEEDED = ("train", "dev")  # splits that must exist; others are read if they do

# COCO_val2014_000000000042 of 2014 is 000000000042 of 2017.
COCO = re.compile(r"(?:COCO_[a-z]+\d{4}_)?(\d{12})")
# 1000092795_0123456789 of Flickr8k is 1000092795 of Flickr30k; v7w_2370799 of Visual7W is 2370799 of Visual Genome.
NUMBERED = re.compile(r"(?:v7w_)?([1-9]\d{4,10})(?:_[0-9a-f]{10})?")


@dataclass(frozen=True)
class Leak:
    """A training photo to leave out.

    Attributes:
        path: training photo.
        held_back: photo of a dev or test set that it equals.
        by: ``name``: both have one photo id; ``look``: their perceptual hashes differ in at most 4 of 64 bits.
    """

    path: Path
    held_back: Path
    by: Literal["name", "look"]


def photo_id(path: Path) -> str:
    """Return an id that copies of a photo share in the data sets that number photos alike, else the path.

    These are the sets on photos of COCO, and those on photos of Flickr or Visual Genome. Few numbers of Flickr30k are
    short enough to be numbers of Visual Genome as well; such a photo may be left out of training without need.
    Other file names are not compared, since many sets begin with a photo 1.
    """
    if found := COCO.fullmatch(path.stem):
        return f"coco {int(found[1])}"
    if found := NUMBERED.fullmatch(path.stem):
        return f"number {found[1]}"
    return str(path.resolve())


def find_leaks(sets: Iterable[DataSet]) -> dict[Path, Leak]:
    """Return the training photos of data sets that are in a dev or test set of any of them, with a progress bar.

    Clips are not compared. Drawn pictures (``DataSet.drawn``) are compared by name only.

    Raises:
        DataError: a data set cannot be read.
    """
    sets = list(sets)
    train, held = training_photos(sets), held_back_photos(sets)
    ids = {photo_id(path): path for path in held}
    leaks = {path: Leak(path, ids[name], "name") for path in train if (name := photo_id(path)) in ids}
    photos = [path for path, is_drawn in train.items() if not (is_drawn or path in leaks)]
    return leaks | _by_look(photos, [path for path, is_drawn in held.items() if not is_drawn])


def training_photos(sets: Sequence[DataSet]) -> dict[Path, bool]:
    """Return training photo -> whether it is drawn."""
    return {path: dataset.drawn for dataset in sets for path in photos_of(dataset, "train")}


def held_back_photos(sets: Sequence[DataSet]) -> dict[Path, bool]:
    """Return photo -> whether it is drawn, for every labelled split but train."""
    splits = ((dataset, split) for dataset in sets for split in dataset.splits if split != "train")
    return {path: dataset.drawn for dataset, split in splits for path in photos_of(dataset, split)}


def photos_of(dataset: DataSet, split: str) -> list[Path]:
    """Return the distinct photos of a split; none if the split is optional and missing."""
    try:
        examples = dataset.read(split)
    except MissingError:
        if split in NEEDED:
            raise
        return []
    return list(dict.fromkeys(path for example in examples for path in example.photos))


def _by_look(train: Sequence[Path], held: Sequence[Path]) -> dict[Path, Leak]:
    if not (train and held):
        return {}
    hashes = _hashes([*train, *held])
    known = {photo_hash: path for path in held if (photo_hash := hashes[path]) is not None}
    if unreadable := sum(hashes[path] is None for path in held):
        LOG.warning("%d dev and test photos cannot be read and were compared by name only", unreadable)
    exclusion = Exclusion(hashes=known)
    nearest = {path: exclusion.nearest(found) for path in train if (found := hashes[path]) is not None}
    return {path: Leak(path, known[found], "look") for path, found in nearest.items() if found is not None}


def _hashes(paths: Sequence[Path]) -> dict[Path, int | None]:
    pool = ThreadPoolExecutor(os.cpu_count())  # decoders release the GIL
    try:
        results = pool.map(hash_of_file, paths)
        return dict(zip(paths, tqdm(results, desc="comparing", total=len(paths), unit="photo"), strict=True))
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt must not wait for the queued files
