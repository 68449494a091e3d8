"""Configurations of older checkpoints, brought to the format of today one version at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from model.errors import CheckpointError

FORMAT = 2

# What format 1 left to the code: the tasks that there were, each with a vocabulary of its own name.
_PICTURE = {"role": "picture", "peripheral": "vision", "domain": "image"}
_QUESTION = {"role": "question", "peripheral": "language", "domain": "english"}
_TEXT = {"role": "text", "peripheral": "language", "domain": "english"}
_TASKS: Mapping[str, dict[str, Any]] = {
    "pos": {"inputs": [_TEXT], "output": "tags", "summary": "a part-of-speech tag for every word of a text"},
    "activity": {"inputs": [_PICTURE], "output": "label", "summary": "what is done in a video", "moves": True},
    "caption": {"inputs": [_PICTURE], "output": "text", "summary": "a sentence about an image or a video"},
    "vqa": {
        "inputs": [_PICTURE, _QUESTION],
        "output": "label",
        "summary": "the answer to a question about an image or a video",
    },
}


def upgrade(values: Any, source: str) -> dict[str, Any]:
    """Bring what a ``config.json`` holds to today's format.

    Raises:
        CheckpointError: it is of no format known here.
    """
    found = values.get("format") if isinstance(values, dict) else None
    if found not in (*UPGRADES, FORMAT):
        known = ", ".join(map(str, (*UPGRADES, FORMAT)))
        raise CheckpointError(f"{source} is of format {found!r}; this version reads {known}")
    while values["format"] != FORMAT:
        values = UPGRADES[values["format"]](values, source)
    result: dict[str, Any] = values
    return result


def _from_1(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Format 1 named tasks with their number of classes, and had one peripheral of each modality."""
    network = values.get("network")
    if not isinstance(network, dict) or not isinstance(network.get("tasks"), dict):
        raise CheckpointError(f"{source}: network.tasks must map names to numbers of classes")
    classes = network["tasks"]
    for name in classes:
        if name not in _TASKS:
            raise CheckpointError(f"{source}: format 1 has no task {name!r}; it has {', '.join(_TASKS)}")
    tasks = {name: _TASKS[name] | {"vocabulary": name} for name in classes}
    return values | {"format": 2, "network": network | {"tasks": tasks, "vocabularies": classes}}


UPGRADES: Mapping[int, Callable[[dict[str, Any], str], dict[str, Any]]] = {1: _from_1}
