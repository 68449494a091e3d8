"""COCO-Text 2.0 (Veit et al. 2016): the words on photos of COCO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omninet.model.outputs.scene.truth import WrittenWord
from omninet.training.data.json_files import malformed, read_json
from omninet.training.data.scene_photos import ScenePhotos, corners_of, readable

KIND = "COCO-Text 2.0 annotations"
PARTS = {"train": "train", "dev": "val"}
LEGIBLE = {"legibility": "legible", "language": "english"}


class CocoText(ScenePhotos):
    """Photos of COCO with words, of which the English ones that can be read count."""

    source = "https://bgshih.github.io/cocotext/"
    layout = "cocotext.v2.json and train2014/*.jpg"
    splits = ("train", "dev")
    has_dev = True

    def photos(self, split: str) -> Iterator[tuple[Path, tuple[WrittenWord, ...]]]:
        """Yield each photo of a part with a word that can be read."""
        path = self.existing("cocotext.v2.json")
        values = read_json(path, KIND)
        with malformed(path, KIND):
            for number, image in values["imgs"].items():
                ids = values["imgToAnns"].get(number, ())
                words = tuple(_word(values["anns"][str(i)]) for i in ids)
                if image["set"] == PARTS[split] and any(word.text for word in words):
                    yield self.folder / "train2014" / image["file_name"], words


def _word(values: Mapping[str, Any]) -> WrittenWord:
    corners, said = corners_of([float(number) for number in values["mask"]]), values.get("utf8_string")
    counts = said and all(values.get(name) == wanted for name, wanted in LEGIBLE.items())
    return WrittenWord(corners, readable(str(said)) if counts else None)
