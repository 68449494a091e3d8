"""Visual7W, pointing questions (Zhu et al. 2016): which of four boxes of a photo answers a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from omninet.training.data.base import DataSet, Example
from omninet.training.data.boxes import box_of_sides, candidate_accuracy, in_pixels
from omninet.training.data.json_files import malformed, read_json, text_of

KIND = "file of Visual7W pointing"
NAMES = {"train": "train", "dev": "val", "test": "test"}


class Visual7w(DataSet):
    """``dataset_v7w_pointing.json`` has boxes in pixels, and images with questions; not run on the real files.

    Sizes of photos, which the file lacks, are read from the photos.
    """

    task = "ground"
    source = "https://ai.stanford.edu/~yukez/visual7w/"
    layout = "dataset_v7w_pointing.json and images/v7w_*.jpg"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per question; ``truth`` is the right box, the ``candidates`` are in pixels."""
        path = self.existing("dataset_v7w_pointing.json")
        content = read_json(path, KIND)
        with malformed(path, KIND):
            boxes = {b["box_id"]: (b["x"], b["y"], b["width"], b["height"]) for b in content["boxes"]}
            images = [image for image in content["images"] if image["split"] == NAMES[split]]
        examples: list[Example] = []
        for image in images:
            with malformed(f"{path}, image {image.get('image_id')}", KIND):
                examples += self._of(image, self.existing(f"images/{text_of(image['filename'])}"), boxes)
        return examples

    def _of(self, image: dict[str, Any], photo: Path, boxes: Mapping[int, Sequence[float]]) -> list[Example]:
        examples = []
        with malformed(photo, "photo"), Image.open(photo) as opened:
            size = opened.size
        for asked in image["qa_pairs"]:
            # From left to right, so that the order does not tell which one is right.
            order = sorted([asked["answer"], *asked["multiple_choices"]], key=lambda box: (boxes[box], box))
            candidates = tuple(in_pixels(box_of_sides(boxes[box], size), size) for box in order)
            inputs = {"image": photo, "phrase": text_of(asked["question"]), "candidates": candidates}
            examples.append(
                Example(
                    self.task,
                    inputs,
                    truth=(box_of_sides(boxes[asked["answer"]], size),),
                    image_id=str(image["image_id"]),
                    question_id=str(asked["qa_id"]),
                )
            )
        return examples

    def metrics(self, examples: Sequence[Example], answers: Sequence[Any]) -> dict[str, float]:
        """Return the official accuracy, among the candidates."""
        return candidate_accuracy(examples, answers)
