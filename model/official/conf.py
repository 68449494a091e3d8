"""Class names of the tasks, read from the authors' ``conf`` folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omninet.model.errors import CheckpointError
from omninet.model.official.unpack import unpack

TAGS, ANSWERS, ACTIVITIES = "penn_vocab.json", "vqa_vocab.pkl", "hmdblabels.txt"
UNUSED = "(class {number}: unused)"  # the networks have one or two classes without a name


def read_vocabularies(folder: Path, classes: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Read the class names of all tasks with named classes: task -> names in the order of their ids.

    Args:
        classes: task -> number of classes in the network.

    Raises:
        CheckpointError: a file is missing or has another format; the message names it.
    """
    readers = {"pos": _tags, "vqa": _answers, "activity": _activities}
    named = {task: readers[task](folder) for task in classes if task in readers}
    return {task: _in_order(names, classes[task], task) for task, names in named.items()}


def _tags(folder: Path) -> dict[int, str]:
    path = folder / TAGS
    try:
        found = json.loads(_text(path))["id_to_tag"]
        return {int(number): str(tag) for number, tag in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f'{path} must hold {{"id_to_tag": {{"0": "NNP", ...}}}}') from None


def _answers(folder: Path) -> dict[int, str]:
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "answers.json"
        unpack("answers", folder / ANSWERS, target)
        found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    try:
        return {int(number): answer for number, answer in found.items()}
    except ValueError:
        raise CheckpointError(f"{folder / ANSWERS} must map integer ids to answers") from None


def _activities(folder: Path) -> dict[int, str]:
    path = folder / ACTIVITIES
    try:
        pairs = [line.split(maxsplit=1) for line in _text(path).splitlines() if line.strip()]
        return {int(number): name for number, name in pairs}
    except ValueError:
        raise CheckpointError(f"{path} must have a number and a name in every line, as in '0 brush_hair'") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None


def _in_order(names: Mapping[int, str], classes: int, task: str) -> tuple[str, ...]:
    if strange := [number for number in names if not 0 <= number < classes]:
        raise CheckpointError(f"the vocabulary of {task} names class {strange[0]}, the network has {classes}")
    return tuple(names.get(number, UNUSED.format(number=number)) for number in range(classes))
