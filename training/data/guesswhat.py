"""GuessWhat?! (de Vries et al. 2017): which thing of a COCO photo a dialogue of questions is about."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omninet.training.data.base import DataError, DataSet, Example
from omninet.training.data.boxes import box_of_sides, candidate_accuracy, in_pixels
from omninet.training.data.json_files import json_lines, malformed, text_of
from omninet.training.data.photo_folders import coco_folders

KIND = "game of GuessWhat"
NAMES = {"train": "train", "dev": "valid", "test": "test"}


class Guesswhat(DataSet):
    """``guesswhat.<split>.jsonl.gz`` holds a game per line; not run on the real files.

    Games that did not succeed are left out. The phrase is the dialogue: each question with its answer.
    """

    task = "ground"
    source = "https://github.com/GuessWhatGame/guesswhat (photos: https://cocodataset.org/#download)"
    layout = (
        "guesswhat.train.jsonl.gz, guesswhat.valid.jsonl.gz (guesswhat.test.jsonl.gz), train2014/*.jpg and "
        "val2014/*.jpg, or the photos in ../coco"
    )

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per game; ``truth`` is the right box, the ``candidates`` are in pixels."""
        path = self.existing(f"guesswhat.{NAMES[split]}.jsonl.gz")
        try:
            text = gzip.decompress(path.read_bytes()).decode()
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise DataError(f"{path} is no compressed UTF-8 text: {error}") from error
        photos = {name: self.existing(*coco_folders(name)) for name in ("train2014", "val2014")}
        examples = []
        for where, game in json_lines(path, KIND, text):
            with malformed(where, KIND):
                if game["status"] == "success":
                    examples.append(self._of(game, photos))
        return examples

    def _of(self, game: dict[str, Any], photos: dict[str, Path]) -> Example:
        image, things = game["image"], game["objects"]
        name = text_of(image["file_name"])  # COCO_<folder>_<id>.jpg
        size = (image["width"], image["height"])
        phrase = " ".join(f"{text_of(asked['question'])} {text_of(asked['answer']).lower()}" for asked in game["qas"])
        boxes = {thing["id"]: box_of_sides(thing["bbox"], size) for thing in things}
        candidates = tuple(in_pixels(box, size) for box in boxes.values())
        inputs = {"image": photos[name.split("_")[1]] / name, "phrase": phrase, "candidates": candidates}
        truth = (boxes[game["object_id"]],)
        return Example(self.task, inputs, image_id=str(image["id"]), question_id=str(game["id"]), truth=truth)

    def metrics(self, examples: Sequence[Example], answers: Sequence[Any]) -> dict[str, float]:
        """Return the official accuracy, among the candidates."""
        return candidate_accuracy(examples, answers)
