"""What every data set offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import OmniNetError


class DataError(OmniNetError):
    """A data set that is not where it should be, or not as it should be."""


@dataclass(frozen=True)
class Example:
    """One input and what the network should say.

    Attributes:
        words: a sentence, split.
        answer: the label, or the first of several captions.
        tags: one for each word.
        captions: all captions of the same picture.
    """

    task: str
    image: Path | None = None
    video: Path | None = None
    words: tuple[str, ...] = ()
    question: str | None = None
    answer: str = ""
    tags: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()

    @property
    def media(self) -> Path | None:
        """The picture or the clip."""
        return self.image or self.video


class DataSet(ABC):
    """A data set on disk, in its public layout.

    Attributes:
        source: where a user gets it.
        layout: the files it consists of, for messages.
    """

    task: str
    source: str
    layout: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def read(self, split: str) -> Sequence[Example]:
        """Examples of ``train`` or ``dev``, in the order of the files.

        Raises:
            DataError: a file that is missing or malformed; the message says what was expected where.
        """

    def existing(self, name: str) -> Path:
        """A file or folder of the layout."""
        path = self.folder / name
        if not path.exists():
            raise DataError(f"{path} is missing; expected {self.layout} under {self.folder}; get it from {self.source}")
        return path


def read_text(path: Path) -> str:
    """A text file of a data set.

    Raises:
        DataError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: {error}") from error
