"""What every data set offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from omninet.model.errors import OmniNetError

T = TypeVar("T")


class DataError(OmniNetError):
    """A data set that is not where it should be, or not as it should be."""


class MissingError(DataError):
    """A part of a data set is not there."""


@dataclass(frozen=True)
class Example:
    """The inputs of a task and what the network should say.

    Attributes:
        inputs: the keyword arguments of ``Predictor.prepare``, such as ``image`` and ``video`` (paths), ``question``,
            ``tokens`` (the words of a sentence), or the roles of a task's inputs.
        answer: the label, or the first of several captions.
        tags: one for each word.
        captions: all captions of the same picture.
        answers: what each annotator said to the question.
        answer_type: of the question: ``yes/no``, ``number`` or ``other``.
        image_id, question_id: the data set's own, which the result files of evaluation servers name.
        truth: what is right for an output of another kind.
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
        """The picture of a task that takes one."""
        return self.inputs.get("image")

    @property
    def video(self) -> Path | None:
        """The clip of a task that takes one."""
        return self.inputs.get("video")

    @property
    def words(self) -> tuple[str, ...]:
        """A sentence, split."""
        return tuple(self.inputs.get("tokens", ()))

    @property
    def question(self) -> str | None:
        """What is asked, if anything."""
        return self.inputs.get("question")

    @property
    def media(self) -> tuple[Path, ...]:
        """All of its files: pictures, clips and the like."""
        return tuple(value for value in self.inputs.values() if isinstance(value, Path))

    @property
    def text(self) -> str:
        """What is written in its inputs, for people."""
        return " ".join(_written(value) for value in self.inputs.values() if not isinstance(value, Path))


class DataSet(ABC):
    """A data set on disk, in its public layout.

    Attributes:
        source: where a user gets it.
        layout: the files it consists of, for messages.
        splits: those that come with labels; ``test`` may be missing on disk.
        family: beginning of the names of classes that are alike but for the motion; empty where there are none.
    """

    task: str
    source: str
    layout: str
    splits: tuple[str, ...] = ("train", "dev", "test")
    family: str = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, split: str) -> Sequence[Example]:
        """Examples of ``train``, ``dev`` or ``test``, in the order of the files.

        Raises:
            MissingError: a file that is not there; the message says what was expected where.
            DataError: a malformed file, or a split that this data set does not have.
        """
        if split not in self.splits:
            known = ", ".join(self.splits)
            raise DataError(f"{type(self).__name__} in {self.folder} has no labelled split {split!r}, only {known}")
        return self.examples(split)

    @abstractmethod
    def examples(self, split: str) -> Sequence[Example]:
        """As ``read``, of one of ``splits``."""

    def metrics(self, examples: Sequence[Example], answers: Sequence[Any]) -> dict[str, float]:  # noqa: ARG002
        """Measure what is peculiar to this data set, beside what its task's output measures; by default nothing."""
        return {}

    def existing(self, *names: str) -> Path:
        """A file or folder of the layout: the first that is there of the places it may be in."""
        paths = [self.folder / name for name in names]
        for path in paths:
            if path.exists():
                return path
        raise MissingError(
            f"{' or '.join(map(str, paths))} is missing; expected {self.layout} under {self.folder}; "
            f"get it from {self.source}"
        )


def _written(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def read_text(path: Path) -> str:
    """A text file of a data set.

    Raises:
        DataError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: {error}") from error


def thinned(examples: Sequence[T], limit: int | None) -> Sequence[T]:
    """At most ``limit`` examples, spread evenly: lists of clips are often sorted by class."""
    if limit is None or limit >= len(examples):
        return examples
    return [examples[i * len(examples) // limit] for i in range(limit)]
