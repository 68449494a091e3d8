"""DAQUAR (Malinowski, Fritz 2014): questions about indoor photos."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from omninet.training.data.base import DataError, DataSet, Example, read_text

COLUMNS = ("question", "answer", "image_id")


class Daquar(DataSet):
    """``qa_<split>.csv`` with columns question, answer, image_id; several answers are kept as one string."""

    task = "vqa"
    source = "https://www.mpi-inf.mpg.de/departments/computer-vision-and-machine-learning/research/vision-and-language"
    layout = "images/<image_id>.jpg, qa_train.csv and qa_dev.csv"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per question."""
        path = self.existing(f"qa_{split}.csv")
        images = self.existing("images")
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
        if not set(COLUMNS) <= set(reader.fieldnames or ()):
            raise DataError(f"{path} needs the columns {', '.join(COLUMNS)}, not {reader.fieldnames}")
        examples = []
        for row in reader:
            question, answer, image = ((row[column] or "").strip() for column in COLUMNS)
            if not (question and answer and image):
                raise DataError(f"{path}:{reader.line_num} lacks a value for one of {', '.join(COLUMNS)}")
            examples.append(Example(self.task, {"image": images / f"{image}.jpg", "question": question}, answer))
        return examples
