"""Base classes of data sets and examples."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from omninet.model.errors import OmniNetError

T = TypeVar("T")


class DataError(OmniNetError):
    """A data set is missing or malformed."""


class MissingError(DataError):
    """A file or folder of a data set is missing."""


@dataclass(frozen=True)
class Example:
    """Inputs and targets of a task.

    Attributes:
        inputs: keyword arguments of ``Predictor.prepare``, such as ``image`` and ``video`` (paths), ``question``,
            ``tokens`` (the words of a sentence), ``audio`` (a path), or the roles of a task's inputs.
        answer: label, or first of several captions.
        tags: one per word.
        captions: all captions of the picture.
        answers: answer of each annotator.
        answer_type: type of the question: ``yes/no``, ``number`` or ``other``.
        image_id, question_id: ids in the data set, for the result files of evaluation servers.
        truth: target of an output of another type.
    """

    task: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    answer: str = ""
    tags: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    answer_type: str = ""
    image_id: str = ""
    question_id: str = ""
    truth: Any = None

    @property
    def image(self) -> Path | None:
        """Return the input picture, if any."""
        return self.inputs.get("image")

    @property
    def video(self) -> Path | None:
        """Return the input clip, if any."""
        return self.inputs.get("video")

    @property
    def photos(self) -> tuple[Path, ...]:
        """Return the input files that are neither clips nor recordings."""
        others = {self.video, self.inputs.get("audio")}
        return tuple(path for path in self.media if path not in others)

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words of the input sentence."""
        return tuple(self.inputs.get("tokens", ()))

    @property
    def question(self) -> str | None:
        """Return the input question, if any."""
        return self.inputs.get("question")

    @property
    def media(self) -> tuple[Path, ...]:
        """Return all input files, and those of drawings."""
        values = self.inputs.values()
        drawn = (path for value in values if isinstance(value, Drawing) for path in value.files)
        return (*(value for value in values if isinstance(value, Path)), *drawn)

    @property
    def text(self) -> str:
        """Return the input texts joined by spaces, for display."""
        return " ".join(_written(value) for value in self.inputs.values() if not isinstance(value, Path))


class Drawing(ABC):
    """An input that training draws anew each time, together with its truth; it stands in the place of the picture."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files that it is made of; by default none."""
        return ()

    @abstractmethod
    def example(self, generator: Random) -> Example:
        """Return an example with a picture in its place."""


class DataSet(ABC):
    """A data set on disk, in its published layout.

    Attributes:
        source: where to download it.
        layout: expected files, for error messages.
        splits: labelled splits; ``test`` may be missing on disk.
        family: prefix of the names of classes that differ only in their motion; empty if there are none.
        drawn: True if the pictures are drawings of a few shapes, which look so much alike that a perceptual hash
            cannot tell them apart.
    """

    task: str
    source: str
    layout: str
    splits: tuple[str, ...] = ("train", "dev", "test")
    family: str = ""
    drawn: bool = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, split: str) -> Sequence[Example]:
        """Return the examples of ``train``, ``dev`` or ``test``, in the order of the files.

        Raises:
            MissingError: a file is missing; the message names the expected files.
            DataError: a file is malformed, or the data set has no such split.
        """
        if split not in self.splits:
            known = ", ".join(self.splits)
            raise DataError(f"{type(self).__name__} in {self.folder} has no labelled split {split!r}, only {known}")
        return self.examples(split)

    def some(self, split: str, limit: int | None) -> Sequence[Example]:
        """Return at most ``limit`` examples of a split, evenly spaced, for a quick evaluation; None returns all."""
        return thinned(self.read(split), limit)

    @abstractmethod
    def examples(self, split: str) -> Sequence[Example]:
        """Return the examples of one of ``splits``; for errors see ``read``."""

    def classes(self) -> Sequence[str]:
        """Return the names of all classes if a file lists them, even of classes without an example; by default none."""
        return ()

    def metrics(self, examples: Sequence[Example], answers: Sequence[Any]) -> dict[str, float]:  # noqa: ARG002
        """Compute metrics specific to this data set, in addition to those of the task's output; by default none."""
        return {}

    def existing(self, *names: str) -> Path:
        """Return the first of several possible paths of a file or folder that exists.

        Args:
            names: paths inside the folder; ``../<name>`` is a folder beside it, which other data sets may share.

        Raises:
            MissingError: none of them exists.
        """
        paths = [_inside_or_beside(self.folder, name) for name in names]
        for path in paths:
            if path.exists():
                return path
        raise MissingError(
            f"{' or '.join(map(str, paths))} is missing; expected {self.layout} under {self.folder}; "
            f"get it from {self.source}"
        )


def _inside_or_beside(folder: Path, name: str) -> Path:
    # Without "..", so that a photo has one path in all data sets and its features are computed once.
    return Path(os.path.normpath(folder / name)) if name.startswith("../") else folder / name


def _written(value: Any) -> str:
    """Return a text, or words joined by spaces; empty for other inputs."""
    if isinstance(value, (list, tuple)):
        return " ".join(map(_written, value))
    return value if isinstance(value, str) else ""


def read_text(path: Path) -> str:
    """Read a text file of a data set.

    Raises:
        DataError: the file is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: {error}") from error


def thinned(examples: Sequence[T], limit: int | None) -> Sequence[T]:
    """Return at most ``limit`` examples, evenly spaced, since lists are often sorted by class."""
    if limit is None or limit >= len(examples):
        return examples
    return [examples[i * len(examples) // limit] for i in range(limit)]
