"""Average of a checkpoint and one that was trained on from it (WiSE-FT, Wortsman et al. 2022)."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import ConfigError


def average(first: Checkpoint, second: Checkpoint, share: float) -> tuple[Checkpoint, int]:
    """Return the second checkpoint with averaged weights, and how many of its tensors are not in the first one.

    Such tensors, and those of other sizes or of vocabularies that have changed, are the second checkpoint's.

    Args:
        share: weight of the second checkpoint, from 0 to 1.

    Raises:
        ConfigError: the share is out of range, or the checkpoints have different subwords, so that averages of their
            embeddings would mean nothing.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"--share must be from 0 to 1, not {share}")
    _check_subwords(first, second)
    changed = _changed(first, second)
    before, network = first.network.state_dict(), copy.deepcopy(second.network)
    alone = 0
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            other = before.get(name)
            if other is None or other.shape != tensor.shape or name.startswith(changed):
                alone += 1
            elif tensor.is_floating_point():
                tensor.copy_(torch.lerp(other, tensor, share))
    return replace(second, network=network, digest="", confidences={}), alone


def _check_subwords(first: Checkpoint, second: Checkpoint) -> None:
    shared = {"": (first.tokenizer_file, second.tokenizer_file)} | {
        name: (file, second.tokenizer_files[name])
        for name, file in first.tokenizer_files.items()
        if name in second.tokenizer_files
    }
    for name, (one, other) in shared.items():
        if one.read_bytes() != other.read_bytes():
            raise ConfigError(f"the checkpoints have different subwords{f' ({name})' if name else ''}")


def _changed(first: Checkpoint, second: Checkpoint) -> tuple[str, ...]:
    """Return how the names begin of weights whose rows stand for something else: classes, or domains and tasks."""
    controls = first.config.network.controls == second.config.network.controls
    names = [name for name, classes in second.vocabularies.items() if first.vocabularies.get(name) != classes]
    found = tuple(f"cnp.{part}.{name}." for name in names for part in ("output_embeddings", "classifiers"))
    return found if controls else (*found, "cnp.control_embedding.")
