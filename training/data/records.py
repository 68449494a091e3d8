"""Records of any task: one JSON file per split, for users' own data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from omninet.training.data.base import DataError, DataSet, Example, read_text

LONGEST_PATH = 255  # characters; longer strings are texts
TRUTHS = {"truth", "answer", "tags", "captions"}


class Records(DataSet):
    """Reader of JSON records with a task's inputs and targets; a subclass sets ``task``.

    ::

        [{"image": "photos/0.jpg", "question": "What is it?", "answer": "a cup"}, ...]

    The target is ``answer``, ``tags`` or ``captions``, or ``truth`` for outputs of other types. A string that is the
    path of a file in the folder becomes this path.
    """

    source = "your own data"
    layout = "train.json, dev.json, test.json with the files that they name"

    def examples(self, split: str) -> Sequence[Example]:
        """Return the records of ``<split>.json`` in order."""
        path = self.existing(f"{split}.json")
        try:
            records = json.loads(read_text(path))
        except ValueError as error:
            raise DataError(f"{path} is no valid JSON: {error}") from error
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise DataError(f"{path} must hold a list of objects")
        return [self._example(record, f"{path}, record {number}") for number, record in enumerate(records)]

    def _example(self, record: dict[str, Any], where: str) -> Example:
        if not TRUTHS & record.keys():
            raise DataError(f"{where} has no target: one of {', '.join(sorted(TRUTHS))} is needed")
        inputs = {name: self._value(value) for name, value in record.items() if name not in TRUTHS}
        right = {name: value for name, value in record.items() if name in TRUTHS}
        for name in ("tags", "captions"):
            if name in right:
                right[name] = tuple(right[name])
        if "captions" in right:
            right.setdefault("answer", right["captions"][0])
        return Example(self.task, inputs, **right)

    def _value(self, value: Any) -> Any:
        """Return the path of an existing file, a tuple for a list of strings, else the value itself."""
        if isinstance(value, str) and 0 < len(value) <= LONGEST_PATH and (self.folder / value).is_file():
            return self.folder / value
        return tuple(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else value
