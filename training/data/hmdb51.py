"""HMDB51 (Kuehne et al. 2011): short clips of 51 human activities, split 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from omninet.training.data.base import DataError, DataSet, Example, MissingError, read_text

ENDING = "_test_split1.txt"
UNUSED = "0"
FLAGS = {"train": "1", "dev": "2"}


class Hmdb51(DataSet):
    """``<class>_test_split1.txt`` lists each clip of a class as training, test or unused.

    The published test clips are used as dev split; there is no test split.
    """

    task = "activity"
    source = "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database"
    layout = f"videos/<class>/*.avi (or <class>/*.avi) and splits/<class>{ENDING}"
    splits = ("train", "dev")

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per clip, ordered by class; underscores in class names become spaces."""
        lists = self.existing("splits", "testTrainMulti_7030_splits")
        files = sorted(lists.glob(f"*{ENDING}"))
        if not files:
            raise MissingError(f"{lists} holds no *{ENDING}; expected {self.layout}; get it from {self.source}")
        videos = self.existing("videos", ".")
        return [
            Example(self.task, {"video": videos / name / clip}, answer=name.replace("_", " "))
            for path in files
            for name in [path.name.removesuffix(ENDING)]
            for clip, flag in _lines(path)
            if flag == FLAGS[split]
        ]


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield clip and flag of each line."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        clip, _, flag = line.strip().rpartition(" ")
        if clip and flag in {UNUSED, *FLAGS.values()}:
            yield clip.rstrip(), flag
        elif line.strip():
            raise DataError(f"{path}:{number} is not '<clip> <0, 1 or 2>': {line[:60]!r}")
