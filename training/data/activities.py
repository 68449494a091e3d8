"""A folder of clips by class, with a list for each split."""

from __future__ import annotations

from collections.abc import Sequence

from training.data.base import DataError, DataSet, Example, read_text


class Activities(DataSet):
    """``<split>.txt`` lists ``<class>/<name>`` of clips under ``clips/``."""

    task = "activity"
    source = "your own clips"
    layout = "clips/<class>/<name>.mp4, train.txt and dev.txt"

    def examples(self, split: str) -> Sequence[Example]:
        """One example a clip; the class is its folder, underscores become spaces."""
        path = self.existing(f"{split}.txt")
        clips = self.existing("clips")
        examples = []
        for number, line in enumerate(read_text(path).splitlines(), 1):
            if not line.strip():
                continue
            name, slash, _ = line.strip().partition("/")
            if not slash:
                raise DataError(f"{path}:{number} is not '<class>/<name>': {line!r}")
            examples.append(Example(self.task, video=clips / line.strip(), answer=name.replace("_", " ")))
        return examples
