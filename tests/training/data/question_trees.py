"""Small made-up data sets of questions about photos of Visual Genome, in the layouts of the real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.training.conftest import put
from tests.training.data.pair_trees import write_photos

# By the checksum of their ids, the last one is a dev photo.
VG_PHOTOS = {1: "VG_100K", 2: "VG_100K_2", 37: "VG_100K"}


def write_gqa(folder: Path) -> None:
    """A question a split."""
    for name in ("train", "val"):
        write_photos(folder / "images", [f"n{name}.jpg"])
        asked = {"question": f"Is it {name}?", "imageId": f"n{name}", "answer": "yes", "fullAnswer": "Yes, it is."}
        put(folder / f"{name}_balanced_questions.json", json.dumps({"0123": asked}))


def write_visual_genome_qa(folder: Path) -> None:
    """A question a photo; the photos lie in two folders."""
    entries = [
        {"id": i, "qas": [{"qa_id": 10 * i, "image_id": i, "question": "What is it?", "answer": "A Dog."}]}
        for i in VG_PHOTOS
    ]
    for i, home in VG_PHOTOS.items():
        write_photos(folder / home, [f"{i}.jpg"])
    put(folder / "question_answers.json", json.dumps(entries))


QUESTION_WRITERS: dict[str, Callable[[Path], None]] = {"gqa": write_gqa, "visual_genome_qa": write_visual_genome_qa}
