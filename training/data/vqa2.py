"""VQA v2 (Goyal et al. 2017): questions about COCO's photos of 2014, ten answers each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from sys import intern
from typing import Any

from omninet.training.data.base import DataError, DataSet, Example, read_text

FOLDERS = {"train": "train2014", "dev": "val2014"}


class Vqa2(DataSet):
    """For each split a file of questions, a file of annotations, and a folder of photos."""

    task = "vqa"
    source = "https://visualqa.org/download.html (photos: https://cocodataset.org/#download)"
    layout = (
        "v2_OpenEnded_mscoco_train2014_questions.json, v2_mscoco_train2014_annotations.json, "
        "train2014/COCO_train2014_*.jpg and the corresponding files of val2014"
    )
    splits = ("train", "dev")

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per question, in the order of the file."""
        name = FOLDERS[split]
        questions = _entries(self.existing(f"v2_OpenEnded_mscoco_{name}_questions.json"), "questions")
        annotations = _entries(self.existing(f"v2_mscoco_{name}_annotations.json"), "annotations")
        if questions.keys() != annotations.keys():
            odd = min(questions.keys() ^ annotations.keys(), key=str)
            raise DataError(
                f"{self.folder}: question {odd} of {name} is missing in either the questions or the annotations"
            )
        photos = self.existing(name, f"images/{name}")
        try:
            return [self._example(photos, question, annotations[i]) for i, question in questions.items()]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.folder}: the questions or annotations of {name} are malformed: {error!r}"
            ) from error

    def _example(self, photos: Path, question: dict[str, Any], annotation: dict[str, Any]) -> Example:
        image = question["image_id"]
        return Example(
            self.task,
            {"image": photos / f"COCO_{photos.name}_{image:012d}.jpg", "question": question["question"]},
            answer=annotation["multiple_choice_answer"],
            # There are six million answers but few distinct ones; interning saves memory.
            answers=tuple(intern(given["answer"]) for given in annotation["answers"]),
            answer_type=annotation["answer_type"],
            image_id=str(image),
            question_id=str(question["question_id"]),
        )


def _entries(path: Path, key: str) -> dict[Any, dict[str, Any]]:
    """Return question id -> entry of the list under ``key``."""
    try:
        return {entry["question_id"]: entry for entry in json.loads(read_text(path))[key]}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no VQA v2 file of {key}: {error!r}") from error
