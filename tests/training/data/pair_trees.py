"""Small made-up data sets of pictures with sentences, in the layouts of the real ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tests.samples import image_bytes
from tests.training.conftest import COLOURS, SPLITS, photo, put, write_flickr8k

SNLI_LABELS = ("entailment", "neutral", "contradiction", "-")


def lines_of(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as JSON Lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


def png(colour: str) -> bytes:
    """A PNG picture of one colour."""
    return image_bytes(Image.new("RGB", (40, 10), colour), "PNG")


def write_photos(folder: Path, names: Sequence[str]) -> None:
    """JPEG photos, each of the next colour."""
    for i, name in enumerate(names):
        put(folder / name, photo(COLOURS[i % len(COLOURS)]))


def write_flickr8k_match(folder: Path) -> None:
    """Two sentences a photo: its own and another photo's."""
    for split, count in SPLITS.items():
        names = [f"{split}{i}.jpg" for i in range(count)]
        write_photos(folder / "Flicker8k_Dataset", names)
        lines = [f"{name}\tAll is {colour} .\tmatch\n" for name, colour in zip(names, COLOURS, strict=False)]
        lines += [f"{name}\tA cat sleeps .\tno-match\n" for name in names]
        put(folder / f"flickr8k.{split.capitalize()}Images.txt", "".join(lines))


def write_snli_ve(folder: Path) -> None:
    """A pair of each label on photos of Flickr30k, as in the public files."""
    for split in SPLITS:
        ids = [f"{len(split)}{i}" for i in range(len(SNLI_LABELS))]
        write_photos(folder / "flickr30k_images", [f"{i}.jpg" for i in ids])
        records = [
            {
                "Flickr30K_ID": i,
                "pairID": f"{i}.jpg#0r1e",
                "sentence1": "A caption of the photo.",
                "sentence2": f"A {label} statement. ",
                "gold_label": label,
            }
            for i, label in zip(ids, SNLI_LABELS, strict=True)
        ]
        put(folder / f"snli_ve_{split}.jsonl", lines_of(records))


def write_nlvr(folder: Path) -> None:
    """A sentence about two pictures, each in two layouts; those of dev lie in a further folder."""
    for split, home in (("train", ""), ("dev", "7")):
        records = [
            {"sentence": "All shapes are red.", "label": label, "identifier": f"12-{i}", "structured_rep": [[], [], []]}
            for i, label in enumerate(("true", "false"))
        ]
        for record, colour in zip(records, COLOURS, strict=False):
            for layout in (0, 3):
                name = f"{split}-{record['identifier']}-{layout}.png"
                put(folder / split / "images" / home / name, png(colour))
        put(folder / split / f"{split}.json", lines_of(records))


def write_nlvr2(folder: Path) -> None:
    """A sentence about two pairs of photos; those of train lie in a numbered folder."""
    for split, home in (("train", "images/train/7"), ("dev", "dev")):
        records = [
            {"sentence": "Both are dark.", "label": label, "identifier": f"{split}-12-{i}-1"}
            | ({"directory": 7} if split == "train" else {})
            for i, label in enumerate(("True", "False"))
        ]
        for i in range(len(records)):
            for side, colour in enumerate(COLOURS[:2]):
                put(folder / home / f"{split}-12-{i}-img{side}.png", png(colour))
        put(folder / f"{split}.json", lines_of(records))


def write_karpathy(folder: Path, name: str, home: str) -> None:
    """A photo of each split, with two captions."""
    images: list[dict[str, Any]] = []
    for i, split in enumerate(("train", "restval", "val", "test")):
        file = f"{100 + i}.jpg"
        put(folder / home / file, photo(COLOURS[i]))
        sentences = [{"raw": f"A {split} photo, said {n} times. ", "tokens": ["a"], "sentid": n} for n in (1, 2)]
        images.append({"filename": file, "imgid": i, "split": split, "sentences": sentences})
        if name == "coco":
            images[-1] |= {"filepath": home, "cocoid": 100 + i}
    put(folder / f"dataset_{name}.json", json.dumps({"images": images, "dataset": name}))


PAIR_WRITERS: dict[str, Callable[[Path], None]] = {
    "flickr8k_match": write_flickr8k_match,
    "snli_ve": write_snli_ve,
    "nlvr": write_nlvr,
    "nlvr2": write_nlvr2,
    "flickr8k_retrieval": write_flickr8k,
    "flickr30k_retrieval": lambda folder: write_karpathy(folder, "flickr30k", "flickr30k_images"),
    "coco_retrieval": lambda folder: write_karpathy(folder, "coco", "val2014"),
}
