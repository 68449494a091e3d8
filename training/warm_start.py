"""Warm start: initialise a network from another checkpoint, with weights matched by name."""

from __future__ import annotations

import filecmp
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from omninet.model.checkpoint import Checkpoint
from omninet.model.network.omninet import OmniNet

LOG = logging.getLogger(__name__)
CONTROLS = "cnp.control_embedding.weight"
# Weights with one row per class of a vocabulary; embeddings have an additional row for padding.
CLASSES = re.compile(r"cnp\.(output_embeddings|classifiers)\.(?P<vocabulary>.+)\.(weight|bias)")
SUBWORDS = re.compile(r"peripherals\.(?P<peripheral>\w+)\.embedding\.weight")


@dataclass(frozen=True)
class Taken:
    """Summary of which weights were copied.

    Attributes:
        whole: names of tensors that were copied completely.
        rows: name of a partly copied tensor -> number of copied rows, number of rows.
        new: names of tensors that the checkpoint lacks or has in another shape.
        left: names of the checkpoint's tensors that the network lacks.
    """

    whole: tuple[str, ...]
    rows: Mapping[str, tuple[int, int]]
    new: tuple[str, ...]
    left: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return lines for the log."""
        found = [f"copied: {_summary(self.whole)}"]
        found += [f"copied: {some} of {all_} rows of {name}" for name, (some, all_) in self.rows.items()]
        found += [f"not in the checkpoint: {_summary(self.new)}"] if self.new else []
        return found + ([f"not used: {_summary(self.left)}"] if self.left else [])


@torch.no_grad()
def warm_start(
    network: OmniNet,
    vocabularies: Mapping[str, Sequence[str]],
    tokenizer_files: Mapping[str, Path],
    source: Checkpoint,
) -> Taken:
    """Copy the weights of a checkpoint into a network, matched by name.

    Control vectors are matched by the names of domains and tasks, rows of a vocabulary by the names of its classes.
    Rows of subwords are copied only if both have the same subword model.

    Args:
        vocabularies: name -> its classes, for the network's vocabularies of named classes.
        tokenizer_files: name of a tokenizer -> subword model; the empty name is that of all texts that name none.
    """
    ours, theirs = network.state_dict(), source.network.state_dict()
    theirs_of = {"": source.tokenizer_file, **source.tokenizer_files}
    same = {name for name, file in tokenizer_files.items() if name in theirs_of and _same(file, theirs_of[name])}
    whole, rows, new = [], dict[str, tuple[int, int]](), []
    for name, tensor in ours.items():
        given = theirs.get(name)
        pairs = _pairs(name, network, vocabularies, source, same)
        if given is None or given.shape[1:] != tensor.shape[1:] or (pairs is None and given.shape != tensor.shape):
            new.append(name)
        elif pairs is None:
            tensor.copy_(given)
            whole.append(name)
        else:
            for mine, other in pairs:
                tensor[mine] = given[other]
            rows[name] = len(pairs), _count(name, tensor, network)
    return Taken(tuple(whole), rows, tuple(new), tuple(name for name in theirs if name not in ours))


def _pairs(
    name: str,
    network: OmniNet,
    vocabularies: Mapping[str, Sequence[str]],
    source: Checkpoint,
    same_subwords: Collection[str],
) -> list[tuple[int, int]] | None:
    """Return pairs of matching rows (ours, theirs); None for a tensor that is copied as a whole.

    Args:
        same_subwords: names of the tokenizers that are equal in both.
    """
    if name == CONTROLS:
        return _matches(network.config.controls, source.network.config.controls)
    if found := CLASSES.fullmatch(name):
        vocabulary = found["vocabulary"]
        if vocabulary in vocabularies and vocabulary in source.vocabularies:
            return _matches(vocabularies[vocabulary], source.vocabularies[vocabulary])
        written = {task.vocabulary: task.tokenizer for task in network.config.tasks.values()}
        return None if written[vocabulary] in same_subwords else []
    if found := SUBWORDS.fullmatch(name):
        reader = network.config.peripherals[found["peripheral"]]
        return None if reader.tokenizer in same_subwords else []
    return None


def _matches(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    places = {name: i for i, name in enumerate(theirs)}
    return [(i, places[name]) for i, name in enumerate(ours) if name in places]


def _count(name: str, tensor: Tensor, network: OmniNet) -> int:
    """Return the number of rows without the embeddings' padding row."""
    if name == CONTROLS:
        return len(network.config.controls)
    return len(tensor) - ("embedding" in name)


def _summary(names: Sequence[str]) -> str:
    """Return the number of tensors in each part of the network, as text."""
    parts: dict[str, int] = {}
    for name in names:
        part = ".".join(name.split(".")[: 3 if CLASSES.fullmatch(name) else 2])
        parts[part] = parts.get(part, 0) + 1
    return ", ".join(f"{part} ({count})" for part, count in parts.items()) or "nothing"


def _same(one: Path, other: Path) -> bool:
    return filecmp.cmp(one, other, shallow=False)
