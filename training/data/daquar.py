"""DAQUAR (Malinowski, Fritz 2014): questions about indoor photos."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from training.data.base import DataError, DataSet, Example


class Daquar(DataSet):
    """``qa_<split>.csv`` with columns question, answer, image_id; a list of answers is one string."""

    task = "vqa"
    source = "https://www.mpi-inf.mpg.de/departments/computer-vision-and-machine-learning/research/vision-and-language"
    layout = "images/<image_id>.jpg, qa_train.csv and qa_dev.csv"

    def read(self, split: str) -> Sequence[Example]:
        """One example a question."""
        path = self.existing(f"qa_{split}.csv")
        images = self.existing("images")
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not {"question", "answer", "image_id"} <= set(reader.fieldnames or ()):
                raise DataError(f"{path} needs the columns question, answer, image_id, not {reader.fieldnames}")
            return [
                Example(
                    self.task,
                    images / f"{row['image_id']}.jpg",
                    question=row["question"].strip(),
                    answer=row["answer"].strip(),
                )
                for row in reader
            ]
