"""Caltech-101 (Fei-Fei, Fergus, Perona 2004): photos of 101 kinds of things."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from omninet.training.data.base import DataError, DataSet, Example, read_text

FOLDER = "101_ObjectCategories"


class Caltech101(DataSet):
    """``<split>.txt`` lists the photos of a split as ``<class>/<name>.jpg`` in ``101_ObjectCategories``.

    The published data set has no splits.
    """

    task = "caltech101"
    source = "https://data.caltech.edu/records/mzrjq-6wc02"
    layout = f"{FOLDER}/<class>/*.jpg, train.txt and dev.txt (test.txt)"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per photo, in the order of the list; underscores in class names become spaces."""
        path, photos = self.existing(f"{split}.txt"), self.existing(FOLDER)
        examples = []
        for number, line in enumerate(read_text(path).splitlines(), 1):
            if not line.strip():
                continue
            parts = PurePosixPath(line.strip()).parts
            if len(parts) != 2 or ".." in parts:
                raise DataError(f"{path}:{number} is not '<class>/<name>.jpg': {line[:60]!r}")
            label = parts[0].lower().replace("_", " ")
            examples.append(Example(self.task, {"image": photos.joinpath(*parts)}, label))
        return examples
