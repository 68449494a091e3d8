"""Files that the public evaluation servers take: COCO's for captions, VQA's for answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omninet.model.outputs import Answer, Output
from omninet.training.data import Example
from omninet.training.evaluate.answering import Answered


def write_results(folder: Path, answered: Iterable[Answered], split: str) -> None:
    """Write ``<task>_<split>.json`` for each task that a server knows, and one for each further data set of it.

    Args:
        folder: made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for given in answered:
        pairs = enumerate(zip(given.examples, given.answers, strict=True))
        entries = [_entry(i, given.output, *pair) for i, pair in pairs]
        if all(entries):
            text = json.dumps(entries, ensure_ascii=False, indent=0)
            (folder / f"{given.key.replace('/', '_')}_{split}.json").write_text(text + "\n", encoding="utf-8")


def _entry(position: int, output: Output, example: Example, answer: Answer) -> dict[str, Any]:
    """One example's; data sets that number nothing are numbered by file names and positions."""
    name = example.media[0].stem if example.media else str(position)
    image, question = _identity(example.image_id or name), _identity(example.question_id or str(position))
    return output.result(example, answer, image, question)


def _identity(text: str) -> int | str:
    """The servers' own are integers."""
    return int(text) if text.isdecimal() else text
