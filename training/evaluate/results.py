"""Result files for public evaluation servers: COCO captions and VQA."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omninet.model.outputs import Answer, Output
from omninet.training.data import Example
from omninet.training.evaluate.answering import Answered


def write_results(folder: Path, answered: Iterable[Answered], split: str) -> None:
    """Write ``<task>_<split>.json`` for each task that a server accepts, and a file for each further data set.

    Args:
        folder: created if necessary.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for given in answered:
        pairs = enumerate(zip(given.examples, given.answers, strict=True))
        entries = [_entry(i, given.output, *pair) for i, pair in pairs]
        if all(entries):
            text = json.dumps(entries, ensure_ascii=False, indent=0)
            (folder / f"{given.key.replace('/', '_')}_{split}.json").write_text(text + "\n", encoding="utf-8")


def _entry(position: int, output: Output, example: Example, answer: Answer) -> dict[str, Any]:
    """Return one example's entry; without ids in the data set, file name and position are used."""
    name = example.media[0].stem if example.media else str(position)
    image, question = _identity(example.image_id or name), _identity(example.question_id or str(position))
    return output.result(example, answer, image, question)


def _identity(text: str) -> int | str:
    """Convert decimal ids to integers, as the servers use them."""
    return int(text) if text.isdecimal() else text
