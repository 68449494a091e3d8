"""A data set of packed photos with the classes of their sources and the probabilities of a teacher's classes."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from omninet.training.data import DataError
from omninet.training.data.labelled_photos import CLASSES, PHOTOS
from omninet.training.distill.pack import Pack, PackedPhoto
from omninet.training.distill.targets import DONE, LOGITS, META

KEPT = 5  # probabilities per photo
DIGITS = 4  # of a probability


@dataclass(frozen=True)
class Labelled:
    """A photo to write.

    Attributes:
        number: in the pack.
        group: class of its source, else the teacher's likeliest class; at most some photos of a group are written.
        record: its entry in the data set, without the path of the photo.
    """

    number: int
    group: str
    record: dict[str, Any]


def write_labelled(
    packed: Path,
    target: Path,
    classes: Sequence[str],
    most: int,
    held_back: float,
    captions: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> dict[str, int]:
    """Write photos of a pack as a data set (``labelled_photos``).

    Its dev split are the photos that a distillation holds back.

    Args:
        packed: folder with the packed photos and the teachers' outputs; photos whose outputs were not computed yet are
            left out.
        classes: names of the teacher's classes; the probabilities of classes with the same name are added.
        most: maximum number of training photos of a group; a tenth of it, at least one, in the dev split.
        held_back: share of the photos that the distillation holds back.
        captions: (collection, name) -> captions of a photo.

    Returns:
        Number of photos per split.

    Raises:
        DataError: the pack or the outputs are missing or do not fit together.
    """
    photos = Pack(packed / "pictures.zip")
    logits, done = _outputs(packed / "targets", len(photos), len(classes))
    (target / PHOTOS).mkdir(parents=True, exist_ok=True)
    (target / CLASSES).write_text("".join(f"{name}\n" for name in dict.fromkeys(classes)), encoding="utf-8")
    counts = {}
    for split, numbers, limit in zip(
        ("train", "dev"), photos.split(held_back), (most, max(1, most // 10)), strict=True
    ):
        found = [
            _labelled(number, photos.entries[number], probabilities, classes, captions or {})
            for number in numbers.tolist()
            if done[number]
            for probabilities in [torch.from_numpy(logits[number].astype(np.float32)).softmax(0)]
        ]
        chosen = _chosen(found, limit)
        _write(photos, chosen, target, split)
        counts[split] = len(chosen)
    return counts


def _outputs(
    folder: Path, photos: int, classes: int
) -> tuple[np.ndarray[Any, np.dtype[np.float16]], np.ndarray[Any, np.dtype[np.uint8]]]:
    """Return the teacher's logits (photos, classes) of the first view of each photo, and whether they were computed."""
    try:
        count = json.loads((folder / META).read_text())["count"]
        logits = np.memmap(folder / LOGITS, np.float16, "r", shape=(photos, count // photos, classes))
        done = np.memmap(folder / DONE, np.uint8, "r", shape=(photos, count // photos))
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{folder} holds no outputs of a teacher with {classes} classes for {photos} photos: {error}"
        ) from error
    return logits[:, 0], done[:, 0]


def _labelled(
    number: int,
    entry: PackedPhoto,
    probabilities: Tensor,
    classes: Sequence[str],
    captions: Mapping[tuple[str, str], Sequence[str]],
) -> Labelled:
    likeliest = probabilities.topk(min(KEPT, len(classes)))
    shares: defaultdict[str, float] = defaultdict(float)
    for i, share in zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True):
        shares[classes[i]] += round(share, DIGITS)
    record = {"label": entry.label, "probabilities": dict(shares)}
    if said := captions.get((entry.collection, entry.name)):
        record["captions"] = list(said)
    return Labelled(number, entry.label or next(iter(shares)), record)


def _chosen(found: Sequence[Labelled], most: int) -> list[Labelled]:
    """Return all photos with captions, and a random choice of the others, at most ``most`` of a group."""
    groups: defaultdict[str, list[Labelled]] = defaultdict(list)
    for photo in found:
        if "captions" not in photo.record:
            groups[photo.group].append(photo)
    draw = random.Random(0)
    drawn = [photo for group in groups.values() for photo in draw.sample(group, min(most, len(group)))]
    told = [photo for photo in found if "captions" in photo.record]
    return sorted([*told, *drawn], key=lambda photo: photo.number)


def _write(photos: Pack, chosen: Sequence[Labelled], target: Path, split: str) -> None:
    records = []
    for photo in tqdm(chosen, desc=split, disable=None, mininterval=5):
        name = f"{PHOTOS}/{photo.number:07d}.jpg"
        (target / name).write_bytes(photos.jpeg(photo.number))
        records.append(json.dumps({"photo": name, **photo.record}))
    (target / f"{split}.jsonl").write_text("".join(f"{record}\n" for record in records), encoding="utf-8")
