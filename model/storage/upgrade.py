"""Upgrades of older ``config.json`` formats, one version at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omninet.model.errors import CheckpointError

FORMAT = 3

# Format 1 did not store tasks: these were fixed in the code, each with a vocabulary of the same name.
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

# Format 2 did not store uses and names of answers: these were fixed in the code.
_IMAGE, _VIDEO = {"picture": "image"}, {"picture": "video"}
_USES: Mapping[str, dict[str, Any]] = {
    "pos": {"uses": [{"name": "pos", "title": "Tag words"}]},
    "activity": {"answer": "activity", "uses": [{"name": "activity", "forms": _VIDEO, "title": "Name an activity"}]},
    "caption": {
        "uses": [
            {
                "name": "caption",
                "forms": _IMAGE,
                "title": "Describe an image",
                "summary": "a sentence about an image",
                "choice": "en",
            },
            {
                "name": "video-caption",
                "forms": _VIDEO,
                "title": "Describe a video",
                "summary": "a sentence about a video, without training on any",
            },
        ]
    },
    "vqa": {
        "answer": "answer",
        "uses": [
            {
                "name": "vqa",
                "forms": _IMAGE,
                "title": "Ask about an image",
                "summary": "the answer to a question about an image",
            },
            {
                "name": "video-qa",
                "forms": _VIDEO,
                "title": "Ask about a video",
                "summary": "the answer to a question about a video, without training on any",
            },
        ],
    },
}


def upgrade(values: Any, source: str) -> dict[str, Any]:
    """Convert the contents of a ``config.json`` to the current format.

    Args:
        source: path of the file, for messages.

    Raises:
        CheckpointError: the format is unknown.
    """
    found = values.get("format") if isinstance(values, dict) else None
    if found not in (*UPGRADES, FORMAT):
        known = ", ".join(map(str, (*UPGRADES, FORMAT)))
        raise CheckpointError(f"{source} has format {found!r}; this version reads formats {known}")
    while values["format"] != FORMAT:
        values = UPGRADES[values["format"]](values, source)
    result: dict[str, Any] = values
    return result


def _from_1(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Add the tasks to format 1, which stored only task names and numbers of classes."""
    network = values.get("network")
    if not isinstance(network, dict) or not isinstance(network.get("tasks"), dict):
        raise CheckpointError(f"{source}: network.tasks must map names to numbers of classes")
    classes = network["tasks"]
    for name in classes:
        if name not in _TASKS:
            raise CheckpointError(f"{source}: format 1 has no task {name!r}; it has {', '.join(_TASKS)}")
    tasks = {name: _TASKS[name] | {"vocabulary": name} for name in classes}
    return values | {"format": 2, "network": network | {"tasks": tasks, "vocabularies": classes}}


def _from_2(values: dict[str, Any], source: str) -> dict[str, Any]:  # noqa: ARG001
    """Add to format 2 the uses of tasks and the names of their answers."""
    network = values.get("network")
    if not isinstance(network, dict) or not isinstance(network.get("tasks", {}), dict):
        return values | {"format": 3}  # OmniNetConfig.from_dict reports the error
    tasks = {name: _USES.get(name, {}) | task for name, task in network.get("tasks", {}).items()}
    return values | {"format": 3, "network": network | ({"tasks": tasks} if tasks else {})}


UPGRADES: Mapping[int, Callable[[dict[str, Any], str], dict[str, Any]]] = {1: _from_1, 2: _from_2}
