"""Small made-up data sets of phrases with boxes, in the layouts of the real ones."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.training.conftest import SPLITS, put
from tests.training.data.pair_trees import lines_of, write_photos

ASPECTS = ("exact", "close", "rough", "exact")


def write_flickr8k_entities(folder: Path) -> None:
    """An entity a photo, with one box more than the photo before; one of train is rough."""
    for split, count in SPLITS.items():
        names = [f"{split}{i}.jpg" for i in range(count)]
        write_photos(folder / "Flicker8k_Dataset", names)
        records = [
            {
                "image": name,
                "phrase": f"thing {i}",
                "boxes": [[0.1 * n, 0, 0.1 * n + 0.2, 1] for n in range(i + 1)],
                "size": [500, 375],
                "aspect": ASPECTS[i],
            }
            for i, name in enumerate(names)
        ]
        put(folder / f"{split}.jsonl", lines_of(records))


ANNOTATION = """<annotation><size><width>40</width><height>30</height><depth>3</depth></size>
<object><name>1</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>30</ymax></bndbox></object>
<object><name>1</name><name>2</name>
<bndbox><xmin>21</xmin><ymin>16</ymin><xmax>40</xmax><ymax>30</ymax></bndbox></object>
<object><name>3</name><scene>1</scene><nobndbox>0</nobndbox></object></annotation>"""
SENTENCES = """[/EN#1/people Two girls] play with [/EN#2/other/toys a red ball] on [/EN#3/scene the grass] .
[/EN#0/notvisual It] is [/EN#3/scene a lawn] .
"""


def write_flickr30k_entities(folder: Path) -> None:
    """A photo a split, with a phrase of two boxes, one of one box, and phrases without a box."""
    for number, name in enumerate(("train", "val"), 1):
        put(folder / f"{name}.txt", f"{number}\n")
        put(folder / "Annotations" / f"{number}.xml", ANNOTATION)
        put(folder / "Sentences" / f"{number}.txt", SENTENCES)
        write_photos(folder / "flickr30k_images", [f"{number}.jpg"])


def write_refcoco(folder: Path, phrases: str, splits: Sequence[str]) -> None:
    """A thing of each split on a photo of its own, with two phrases; the pickle is of the protocol of Python 2."""
    ids = range(1, len(splits) + 1)
    files = [f"COCO_train2014_{i:012}.jpg" for i in ids]
    write_photos(folder / "train2014", files)
    references = [
        {
            "ref_id": 10 * i,
            "ann_id": 100 + i,
            "image_id": i,
            "file_name": f"COCO_train2014_{i:012}_{i}.jpg",
            "split": split,
            "sentences": [{"sent_id": 10 * i + n, "sent": f"the {n}. thing ", "tokens": ["the"]} for n in (1, 2)],
        }
        for i, split in zip(ids, splits, strict=True)
    ]
    content = {
        "images": [{"id": i, "file_name": file, "width": 40, "height": 30} for i, file in zip(ids, files, strict=True)],
        "annotations": [{"id": 100 + i, "image_id": i, "bbox": [10, 15, 20, 15]} for i in ids],
    }
    put(folder / phrases, pickle.dumps(references, protocol=2))
    put(folder / "instances.json", json.dumps(content))


def write_visual7w(folder: Path) -> None:
    """A photo a split with a question; the right box has the lowest id and is the third from the left."""
    sides = {1: 20, 2: -1, 3: 30, 4: 10}
    boxes = [{"box_id": i, "x": x, "y": 0, "width": 11, "height": 15, "name": "x"} for i, x in sides.items()]
    images: list[dict[str, Any]] = []
    for number, split in enumerate(("train", "val", "test"), 1):
        asked = {"qa_id": 7, "question": "Which one?", "answer": 1, "multiple_choices": [2, 3, 4], "type": "which"}
        images.append(
            {"image_id": number, "filename": f"v7w_{number}.jpg", "split": split, "qa_pairs": [asked]},
        )
    write_photos(folder / "images", [image["filename"] for image in images])
    put(folder / "dataset_v7w_pointing.json", json.dumps({"boxes": boxes, "images": images}))


def write_guesswhat(folder: Path) -> None:
    """A game that succeeded and one that did not."""
    for name, home in (("train", "train2014"), ("valid", "val2014")):
        file = f"COCO_{home}_000000000009.jpg"
        write_photos(folder / home, [file])
        things = [{"id": i, "category": "cup", "bbox": [10 * i, 0, 10, 15]} for i in (0, 1, 2)]
        game = {
            "id": 5,
            "qas": [
                {"question": "is it red?", "answer": "No", "id": 1},
                {"question": "left?", "answer": "Yes", "id": 2},
            ],
            "image": {"id": 9, "width": 40, "height": 30, "file_name": file},
            "objects": things,
            "object_id": 1,
            "status": "success",
        }
        lines = lines_of([game, game | {"status": "failure"}])
        put(folder / f"guesswhat.{name}.jsonl.gz", gzip.compress(lines.encode()))


UNC, UMD = ("train", "val", "testA", "testB"), ("train", "val", "test")
BOX_WRITERS: dict[str, Callable[[Path], None]] = {
    "flickr8k_entities": write_flickr8k_entities,
    "flickr30k_entities": write_flickr30k_entities,
    "refcoco": partial(write_refcoco, phrases="refs(unc).p", splits=UNC),
    "refcoco_plus": partial(write_refcoco, phrases="refs(unc).p", splits=UNC),
    "refcocog": partial(write_refcoco, phrases="refs(umd).p", splits=UMD),
    "visual7w": write_visual7w,
    "guesswhat": write_guesswhat,
}
