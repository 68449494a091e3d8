"""Photos with the class of their source and a classifier's likeliest classes, written by ``omninet data label``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from omninet.training.data.base import DataError, DataSet, Example, read_text
from omninet.training.data.json_files import json_lines, malformed

CLASSES, PHOTOS = "classes.txt", "photos"
KIND = "record of a labelled photo"


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo and what is known of it.

    Attributes:
        path: of the photo.
        label: class of its source; empty if unknown.
        probabilities: of the likeliest classes of the classifier, the likeliest first; their sum is at most one.
        captions: captions by people; mostly none.
    """

    path: Path
    label: str
    probabilities: Mapping[str, float]
    captions: tuple[str, ...]

    @property
    def likeliest(self) -> str:
        """Return the likeliest class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


class LabelledPhotos(DataSet):
    """``<split>.jsonl`` has one object per photo: ``photo``, ``label``, ``probabilities`` and perhaps ``captions``.

    Data sets of the photos differ in the examples that they make of one.
    """

    source = "'omninet data label', which writes it from the packed photos of 'omninet distill'"
    layout = f"train.jsonl and dev.jsonl, {CLASSES} and {PHOTOS}/*.jpg"
    splits = ("train", "dev")

    def photos(self, split: str) -> Iterator[LabelledPhoto]:
        """Yield the photos of a split, in the order of the file.

        Raises:
            DataError: a record is malformed.
        """
        for where, record in json_lines(self.existing(f"{split}.jsonl"), KIND):
            with malformed(where, KIND):
                photo = self._photo(record)
            yield photo

    def _photo(self, record: Mapping[str, Any]) -> LabelledPhoto:
        name = PurePosixPath(record["photo"])
        if name.is_absolute() or ".." in name.parts:
            raise ValueError(f"photo {record['photo']!r} is outside the folder")
        probabilities = {str(key): float(value) for key, value in record["probabilities"].items()}
        if not probabilities or not all(0 <= value <= 1 for value in probabilities.values()):
            raise ValueError(f"probabilities {record['probabilities']!r} are not numbers from 0 to 1")
        captions = tuple(map(str, record.get("captions", ())))
        return LabelledPhoto(self.folder / name, str(record["label"]), probabilities, captions)


class ImageNet(LabelledPhotos):
    """The likeliest of ImageNet's classes; the targets are the classifier's probabilities."""

    task = "imagenet"

    def classes(self) -> Sequence[str]:
        """Return the names of all classes, in their order in ``classes.txt``."""
        path = self.existing(CLASSES)
        names = read_text(path).splitlines()
        if len(set(names)) < len(names) or not all(names):
            raise DataError(f"{path} has an empty line, or the same class twice")
        return names

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per photo, whose answer is the likeliest class."""
        return [
            Example(self.task, {"image": photo.path}, photo.likeliest, truth=dict(photo.probabilities))
            for photo in self.photos(split)
        ]
