"""Files of a checkpoint that hold the confidences: ``confidence.json`` and, for captions, ``confidence.safetensors``.

Does not import torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from omninet.model.confidence.confidence import Confidence, WordPresence
from omninet.model.errors import CheckpointError

CONFIDENCE, PRESENCE = "confidence.json", "confidence.safetensors"


def write_confidences(folder: Path, confidences: Mapping[str, Confidence]) -> None:
    """Write the confidences of tasks into a checkpoint folder; without any, write no file."""
    if not confidences:
        return
    entries: dict[str, dict[str, Any]] = {}
    tensors: dict[str, np.ndarray] = {}
    for task, confidence in confidences.items():
        entries[task] = _numbers(confidence)
        if confidence.absence is not None:
            entries[task]["absence"] = _numbers(confidence.absence)
        if (presence := confidence.presence) is not None:
            entries[task]["words"] = list(presence.words)
            tensors[f"{task}.weight"] = presence.weight.astype(np.float16)
            tensors[f"{task}.bias"] = presence.bias.astype(np.float32)
    (folder / CONFIDENCE).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    if tensors:
        save_file(tensors, folder / PRESENCE)


def read_confidences(folder: Path, listed: Collection[str], tasks: Collection[str]) -> dict[str, Confidence]:
    """Read the confidences of tasks from a checkpoint folder: task -> confidence; a task may have none.

    Args:
        listed: files of the folder.
        tasks: tasks whose confidences are wanted.

    Raises:
        CheckpointError: a file is invalid.
    """
    if CONFIDENCE not in listed:
        return {}
    try:
        entries = json.loads((folder / CONFIDENCE).read_text(encoding="utf-8"))
        tensors = load_file(folder / PRESENCE) if PRESENCE in listed else {}
        return {task: _confidence(task, entries[task], tensors) for task in tasks if task in entries}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError) as error:
        raise CheckpointError(f"{folder / CONFIDENCE} or {PRESENCE} is invalid: {error!r}") from error


def _numbers(confidence: Confidence) -> dict[str, Any]:
    return {name: getattr(confidence, name) for name in ("slope", "offset", "threshold")}


def _confidence(task: str, entry: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Confidence:
    presence = None
    if words := entry.get("words"):
        weight, bias = tensors[f"{task}.weight"], tensors[f"{task}.bias"]
        if len(weight) != len(words) or bias.shape != (len(words),):
            raise ValueError(f"{task} has {len(words)} words, but weights of shape {weight.shape}")
        presence = WordPresence(tuple(map(str, words)), weight, bias)
    slope, offset, threshold = (float(entry[name]) for name in ("slope", "offset", "threshold"))
    if not all(map(math.isfinite, (slope, offset, threshold))):
        raise ValueError(f"{task} has a number that is not finite")
    absence = _confidence(f"{task}.absence", entry["absence"], {}) if "absence" in entry else None
    return Confidence(slope, offset, threshold, presence, absence)
