"""Records of any task: a JSON file a split, for data of one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from omninet.training.data.base import DataError, DataSet, Example, read_text

LONGEST_PATH = 255  # characters; a longer text is none
TRUTHS = {"truth", "answer", "tags", "captions"}


class Records(DataSet):
    """Lists of objects whose keys are a task's inputs and what is right; a class that sets ``task`` reads them.

    ::

        [{"image": "photos/0.jpg", "question": "What is it?", "answer": "a cup"}, ...]

    What is right is ``answer``, ``tags``, ``captions``, or ``truth`` for outputs of other kinds. A string that names a
    file of the folder is the path of that file.
    """

    source = "your own data"
    layout = "train.json, dev.json, test.json with the files that they name beside them"

    def examples(self, split: str) -> Sequence[Example]:
        """Return the records of ``<split>.json`` in their order."""
        path = self.existing(f"{split}.json")
        try:
            records = json.loads(read_text(path))
        except ValueError as error:
            raise DataError(f"{path} is no JSON: {error}") from error
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise DataError(f"{path} must hold a list of objects")
        return [self._example(record, f"{path}, record {number}") for number, record in enumerate(records)]

    def _example(self, record: dict[str, Any], where: str) -> Example:
        if not TRUTHS & record.keys():
            raise DataError(f"{where} says nothing of what is right: {', '.join(sorted(TRUTHS))} are missing")
        inputs = {name: self._value(value) for name, value in record.items() if name not in TRUTHS}
        right = {name: value for name, value in record.items() if name in TRUTHS}
        for name in ("tags", "captions"):
            if name in right:
                right[name] = tuple(right[name])
        if "captions" in right:
            right.setdefault("answer", right["captions"][0])
        return Example(self.task, inputs, **right)

    def _value(self, value: Any) -> Any:
        """The path of a file that is there, or the value as it is."""
        if isinstance(value, str) and 0 < len(value) <= LONGEST_PATH and (self.folder / value).is_file():
            return self.folder / value
        return tuple(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else value
